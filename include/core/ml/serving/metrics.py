"""The server's state as metrics for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prometheus_client import Metric

    from include.core.ml.serving.app import Health


class _State:
    """Metrics of one state."""

    def __init__(self, health: Health) -> None:
        self._health = health

    def collect(self) -> Iterator[Metric]:
        health = self._health
        families: list[tuple[Metric, float]] = [
            (_gauge("version", "Served version of the model; 0 if there is none."), health.version or 0),
            (_gauge("refused", "Whether the registry's champion can't be served."), health.is_refused),
            (
                _gauge("log_failing", "Whether the last try to write to the warehouse failed."),
                health.log_error is not None,
            ),
            (_gauge("log_waiting_rows", "Rows that aren't in the warehouse yet."), health.log_waiting),
            (
                CounterMetricFamily(
                    "spellbook_model_failed_requests",
                    "Requests that the model had no valid answer to.",
                    labels=["model"],
                ),
                health.failed_requests,
            ),
        ]
        for family, value in families:
            family.add_metric([health.model], float(value))  # type: ignore[attr-defined]
            yield family


def exposition(health: Health) -> Response:
    """Return the metrics of a state."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_State(health))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _gauge(name: str, text: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"spellbook_model_{name}", text, labels=["model"])
