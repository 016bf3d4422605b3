"""Alerts that no run can send, about stale datasets, missing partitions and empty loads, from the load log."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from include.core.warehouse.history import last_loads
from include.core.warehouse.partitions import gaps
from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.wording import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset

STALE_RUNBOOK = "alerts.md#datastale"
GAP_RUNBOOK = "alerts.md#datagap"
EMPTY_LOADS = """
    SELECT load_id, dataset, partition_key, dag_id, task_id, run_id, rows_in, quarantined FROM load_log
    WHERE loaded = 0 AND finished_at > %(now)s - interval '1 day' AND finished_at <= %(now)s ORDER BY load_id
"""


def detect(session: Session, datasets: Sequence[Dataset], now: datetime) -> dict[str, Iterator[Alert]]:
    """Return what is looked for, with the alerts about it, new or known; each is queried when it is iterated over."""
    return {
        "stale datasets": overdue(session, datasets, now),
        "missing partitions": missing_partitions(session, datasets, now),
        "empty loads": empty_loads(session, now),
    }


def overdue(session: Session, datasets: Sequence[Dataset], now: datetime) -> Iterator[Alert]:
    """Yield an alert for each dataset whose last complete load is older than its ``freshness``.

    A dataset that was never loaded isn't overdue, since its DAG may be off; Prometheus reports it (DataNeverLoaded).
    """
    freshness = {dataset.name: dataset.freshness for dataset in datasets if dataset.freshness is not None}
    for last in last_loads(session, datasets):
        age, maximum = now - last.finished_at, freshness.get(last.dataset)
        if maximum is not None and age > maximum:
            finished = f"{last.finished_at.astimezone(UTC):%Y-%m-%d %H:%M}"
            yield Alert(
                kind=Kind.STALE,
                dag_id=last.dag_id,
                attempt=finished,
                subject=last.dataset,
                text=f"last complete load {finished} UTC, {in_words(age)} ago; the maximum is {in_words(maximum)}",
                runbook=STALE_RUNBOOK,
                advice=f"Check whether {last.dag_id} is paused, didn't run or failed; run the missing days.",
            )


def missing_partitions(session: Session, datasets: Sequence[Dataset], now: datetime) -> Iterator[Alert]:
    """Yield an alert for each dataset that lacks partitions between loaded ones; again if the newest of them changes.

    After a pause, a DAG with ``catchup=False`` continues with the newest day, so its dataset is fresh.
    """
    for gap in filter(None, gaps(session, datasets, now)):
        yield Alert(
            kind=Kind.GAP,
            dag_id=gap.dag_id,
            attempt=gap.partitions[-1].isoformat(),
            subject=gap.dataset,
            text=f"missing partitions: {gap}",
            runbook=GAP_RUNBOOK,
            advice=f"Run {gap.dag_id} for them, with a backfill; totals over them are incomplete.",
        )


def empty_loads(session: Session, now: datetime) -> Iterator[Alert]:
    """Yield an alert for each load of the last day that loaded no row."""
    for load_id, dataset, partition, dag_id, task_id, run_id, rows_in, quarantined in session.execute(
        EMPTY_LOADS, {"now": now}
    ):
        yield Alert(
            kind=Kind.ZERO_ROWS,
            dag_id=str(dag_id),
            run_id=str(run_id),
            attempt=str(load_id),
            subject=str(dataset),
            text=f"{task_id} loaded no row into partition {partition}: {rows_in} received, {quarantined} quarantined",
            advice="Check whether the source has no data or no valid data; table quarantine has the reasons.",
        )
