"""What the warehouse's own books say: when each dataset was loaded last, how many rows, and which alert waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from include.core.warehouse.history import last_loads
from include.core.warehouse.schema import exists

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from prometheus_client import Metric

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset


class SourceError(Exception):
    """A source of metrics can't be read; the message holds no secret."""


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
    if not exists(session, "load_log"):
        return
    last = GaugeMetricFamily(
        "spellbook_dataset_last_load_timestamp_seconds",
        "When the newest complete load of the dataset was done, in seconds since 1970.",
        labels=["dataset"],
    )
    for load in last_loads(session, datasets):
        last.add_metric([load.dataset], load.finished_at.timestamp())
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
    if not exists(session, "alert_outbox"):
        return
    [(age,)] = session.execute(
        "SELECT coalesce(extract(EPOCH FROM now() - min(created_at)), 0) FROM alert_outbox WHERE sent_at IS NULL"
    )
    yield GaugeMetricFamily(
        "spellbook_alert_outbox_oldest_unsent_seconds",
        "Age of the oldest alert that is not delivered yet, in seconds; 0 if none waits.",
        value=float(str(age)),
    )
