"""Metrics from the load log and the alert outbox in the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from include.core.warehouse.history import last_loads
from include.core.warehouse.partitions import gaps

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from prometheus_client import Metric

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset


class SourceError(Exception):
    """A source of metrics can't be read; the message contains no secret."""


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
    """Yield the last load, and the loaded and quarantined rows of each dataset; nothing before the first load."""
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
    for dataset, loaded_rows, quarantined_rows in session.execute(totals):
        loaded.add_metric([str(dataset)], float(str(loaded_rows)))
        quarantined.add_metric([str(dataset)], float(str(quarantined_rows)))
    yield loaded
    yield quarantined


def missing_partitions(session: Session, datasets: Iterable[Dataset], now: datetime) -> Iterator[Metric]:
    """Yield how many partitions each dataset lacks between loaded ones; nothing before the first load."""
    family = GaugeMetricFamily(
        "spellbook_dataset_missing_partitions",
        "Partitions that the dataset must have, between its first and its newest one, and that aren't complete.",
        labels=["dataset"],
    )
    for gap in gaps(session, datasets, now):
        family.add_metric([gap.dataset], len(gap.partitions))
    yield family


def outbox(session: Session) -> Iterator[Metric]:
    """Yield the age of the oldest unsent alert, how many were refused, and when alerts were last drained."""
    [(age, refused)] = session.execute(
        "SELECT coalesce(extract(EPOCH FROM now() - min(created_at) FILTER (WHERE sent_at IS NULL)), 0),"
        " count(*) FILTER (WHERE kept_back LIKE 'refused:%%' AND sent_at > now() - interval '1 day')"
        " FROM alert_outbox WHERE sent_at IS NULL OR sent_at > now() - interval '1 day'",
        [],
    )
    yield GaugeMetricFamily(
        "spellbook_alert_outbox_oldest_unsent_seconds",
        "Age of the oldest alert that is not delivered yet, in seconds; 0 if none waits.",
        value=float(str(age)),
    )
    yield GaugeMetricFamily(
        "spellbook_alerts_refused",
        "Alerts of the last day that a channel refuses for good.",
        value=float(str(refused)),
    )
    [(finished_at,)] = session.execute("SELECT extract(EPOCH FROM finished_at) FROM alert_drain")
    yield GaugeMetricFamily(
        "spellbook_alerts_last_drain_timestamp_seconds",
        "When a round of alerts_drain last did all that it does, or there was nothing to do, in seconds since 1970.",
        value=float(str(finished_at)),
    )
