"""The metrics that exist: Airflow's own registry and the exporters' known metrics."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import airflow
import yaml
from promql_parser import Expr, MatrixSelector, VectorSelector, parse, walk

REGISTRY = Path(airflow.__file__).parent / "_shared/observability/metrics/metrics_template.yaml"
HISTOGRAM = ("_bucket", "_sum", "_count")
# Sent by the scheduler for every state it counts, but missing in the registry.
UNREGISTERED = {"airflow_ti_awaiting_input"}
EXPORTERS = {
    "up",
    "statsd_exporter_lines_total",
    # plugins/spellbook/counters.py and celery_executor.py, through statsd-exporter
    "airflow_spellbook_cache_requests",
    "airflow_spellbook_messages_lost",
    # include/ops/exporter
    "spellbook_up",
    "spellbook_dataset_last_load_timestamp_seconds",
    "spellbook_dataset_freshness_slo_seconds",
    "spellbook_dataset_missing_partitions",
    "spellbook_rows_loaded_total",
    "spellbook_rows_quarantined_total",
    "spellbook_alert_outbox_oldest_unsent_seconds",
    "spellbook_alerts_refused",
    "spellbook_alerts_last_drain_timestamp_seconds",
    "spellbook_queue_workers",
    # include/core/ml/serving
    "spellbook_model_failed_requests_total",
    "spellbook_model_log_failing",
    "spellbook_model_log_waiting_rows",
    "spellbook_model_refused",
    "spellbook_model_version",
    "spellbook_queue_slots",
    # prometheuscommunity/postgres-exporter, oliver006/redis_exporter, prom/node-exporter
    "pg_up",
    "pg_settings_max_connections",
    "pg_stat_database_numbackends",
    "redis_up",
    "redis_memory_used_bytes",
    "redis_memory_max_bytes",
    "node_filesystem_avail_bytes",
    "node_filesystem_size_bytes",
}


def airflow_metrics() -> set[str]:
    """Names in Prometheus, as statsd-exporter makes them: dots and dashes become underscores, timers histograms."""
    declared: list[dict[str, Any]] = yaml.safe_load(REGISTRY.read_text())["metrics"]
    names = set(UNREGISTERED)
    for metric in declared:
        if "{" in metric["name"]:
            continue
        name = "airflow_" + re.sub(r"[^a-zA-Z0-9_]", "_", metric["name"])
        names |= {name + suffix for suffix in HISTOGRAM} if metric["type"] == "timer" else {name}
    return names


@cache
def known() -> set[str]:
    """Every metric that a query may use."""
    return airflow_metrics() | EXPORTERS


def selectors(expression: str) -> dict[str, str]:
    """Return each selection of series in a PromQL expression, without its times, and its metric's name."""
    found = {}

    def visit(part: Expr) -> None:
        if isinstance(part, MatrixSelector):
            part = part.vector_selector
        if isinstance(part, VectorSelector):
            found[part.prettify().partition(" offset ")[0]] = str(part.name)

    walk(parse(expression), visit)
    return found


def metrics_in(expression: str) -> set[str]:
    """Return the names of the metrics in a PromQL expression."""
    return set(selectors(expression).values())
