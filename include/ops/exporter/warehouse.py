"""What the warehouse's own books say: when each dataset was loaded last, how many rows, and which alert waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset

# The newest day counts where a load covers a day: a backfill of old days makes nothing fresh.
LAST_LOADS = """
    WITH newest AS (
        SELECT dataset, max(partition_key COLLATE "C") AS partition_key
        FROM load_log WHERE complete AND dataset = ANY(%s) GROUP BY dataset
    )
    SELECT load_log.dataset, extract(EPOCH FROM max(load_log.finished_at))
    FROM load_log LEFT JOIN newest USING (dataset)
    WHERE load_log.complete AND load_log.partition_key = coalesce(newest.partition_key, load_log.partition_key)
    GROUP BY load_log.dataset ORDER BY load_log.dataset
"""


def freshness_slos(datasets: Iterable[Dataset]) -> Metric:
    """Return ``spellbook_dataset_freshness_slo_seconds{dataset}`` of the datasets that declare one."""
    family = GaugeMetricFamily(
        "spellbook_dataset_freshness_slo_seconds",
        "Longest time that may pass after a complete load of the dataset, in seconds.",
        labels=["dataset"],
    )
    for dataset in datasets:
        if dataset.freshness is not None:
            family.add_metric([dataset.name], dataset.freshness.total_seconds())
    return family


def loads(session: Session, datasets: Iterable[Dataset]) -> Iterator[Metric]:
    """Yield when each dataset was loaded last, and how many rows it took and refused; nothing before the first load."""
    if not _exists(session, "load_log"):
        return
    last = GaugeMetricFamily(
        "spellbook_dataset_last_load_timestamp_seconds",
        "When the newest complete load of the dataset was done, in seconds since 1970.",
        labels=["dataset"],
    )
    by_day = [each.name for each in datasets if each.partition and each.column(each.partition).type == "date"]
    for dataset, timestamp in session.execute(LAST_LOADS, [by_day]):
        last.add_metric([str(dataset)], float(str(timestamp)))
    yield last
    loaded = CounterMetricFamily("spellbook_rows_loaded", "Rows loaded, over all loads in the log.", labels=["dataset"])
    quarantined = CounterMetricFamily(
        "spellbook_rows_quarantined", "Rows put in quarantine, over all loads in the log.", labels=["dataset"]
    )
    totals = "SELECT dataset, sum(loaded), sum(quarantined) FROM load_log GROUP BY dataset ORDER BY dataset"
    for dataset, good, bad in session.execute(totals):
        loaded.add_metric([str(dataset)], float(str(good)))
        quarantined.add_metric([str(dataset)], float(str(bad)))
    yield loaded
    yield quarantined


def outbox(session: Session) -> Iterator[Metric]:
    """Yield the age of the oldest alert that waits in ``alert_outbox``; nothing if there is no such table."""
    if not _exists(session, "alert_outbox"):
        return
    [(age,)] = session.execute(
        "SELECT coalesce(extract(EPOCH FROM now() - min(created_at)), 0) FROM alert_outbox WHERE sent_at IS NULL"
    )
    yield GaugeMetricFamily(
        "spellbook_alert_outbox_oldest_unsent_seconds",
        "Age of the oldest alert that is not delivered yet, in seconds; 0 if none waits.",
        value=float(str(age)),
    )


def _exists(session: Session, table: str) -> bool:
    return session.execute("SELECT to_regclass(%s)", [table]).fetchone() != (None,)
