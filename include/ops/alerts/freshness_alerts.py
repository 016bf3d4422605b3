"""What no run can tell, since it was never made or did nothing: asked of the warehouse's own books."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.wording import in_words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset

# The newest day counts where a load covers a day: a backfill of old days makes nothing fresh.
LAST_LOAD = """
    WITH newest AS (
        SELECT max(partition_key COLLATE "C") AS partition_key FROM load_log WHERE complete AND dataset = %(dataset)s
    )
    SELECT
        load_log.dag_id,
        to_char(load_log.finished_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI') AS finished,
        extract(EPOCH FROM %(now)s - load_log.finished_at) AS age
    FROM load_log CROSS JOIN newest
    WHERE load_log.complete AND load_log.dataset = %(dataset)s
        AND (NOT %(by_day)s OR load_log.partition_key = newest.partition_key)
    ORDER BY load_log.finished_at DESC LIMIT 1
"""
EMPTY_LOADS = """
    SELECT load_id, dataset, partition_key, dag_id, task_id, run_id, rows_in, quarantined FROM load_log
    WHERE loaded = 0 AND finished_at > %(now)s - interval '1 day' AND finished_at <= %(now)s ORDER BY load_id
"""


def overdue(session: Session, datasets: Sequence[Dataset], now: datetime) -> Iterator[Alert]:
    """Yield an alert for each dataset whose last complete load is older than its ``freshness``; one a lapse.

    A dataset that was never loaded isn't overdue: nobody turned its DAG on. Prometheus tells (DataNeverLoaded).
    """
    if not _has_books(session):
        return
    for dataset in datasets:
        by_day = dataset.partition is not None and dataset.column(dataset.partition).type == "date"
        asked = {"dataset": dataset.name, "by_day": by_day, "now": now}
        found = session.execute(LAST_LOAD, asked).fetchone()
        if dataset.freshness is None or found is None:
            continue
        dag_id, finished, age = str(found[0]), str(found[1]), timedelta(seconds=float(str(found[2])))
        if age > dataset.freshness:
            yield Alert(
                kind=Kind.STALE,
                dag_id=dag_id,
                attempt=finished,
                subject=dataset.name,
                text=f"last complete load {finished} UTC, {in_words(age)} ago; at most {in_words(dataset.freshness)}"
                " may pass",
                advice=f"Was a run of {dag_id} made, is the DAG paused, did it fail? Run the missing days.",
            )


def empty_loads(session: Session, now: datetime) -> Iterator[Alert]:
    """Yield an alert for each load of the last day that left no row."""
    if not _has_books(session):
        return
    for load_id, dataset, partition, dag_id, task_id, run_id, came, bad in session.execute(EMPTY_LOADS, {"now": now}):
        yield Alert(
            kind=Kind.ZERO_ROWS,
            dag_id=str(dag_id),
            run_id=str(run_id),
            attempt=str(load_id),
            subject=str(dataset),
            text=f"{task_id} loaded no row into partition {partition}: {came} came, {bad} quarantined",
            advice="Ask the source whether it has no data, or none that is valid: table quarantine has the reasons.",
        )


def _has_books(session: Session) -> bool:
    return session.execute("SELECT to_regclass('load_log')").fetchone() != (None,)
