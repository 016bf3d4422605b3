"""The server's state as metrics for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from prometheus_client import Metric

    from include.core.ml.serving.health import ChallengerHealth, Health


class _States:
    """Metrics of the states of models."""

    def __init__(self, states: Iterable[Health]) -> None:
        self._states = list(states)

    def collect(self) -> Iterator[Metric]:
        families: list[tuple[Metric, Callable[[Health], float]]] = [
            (
                GaugeMetricFamily(
                    "spellbook_model_version", "Served version of the model; 0 if there is none.", labels=["model"]
                ),
                lambda state: state.version or 0,
            ),
            (
                GaugeMetricFamily(
                    "spellbook_model_refused", "Whether the registry's champion can't be served.", labels=["model"]
                ),
                lambda state: state.is_refused,
            ),
            (
                GaugeMetricFamily(
                    "spellbook_model_log_failing",
                    "Whether the last attempt to write to the warehouse failed.",
                    labels=["model"],
                ),
                lambda state: state.log_error is not None,
            ),
            (
                GaugeMetricFamily(
                    "spellbook_model_log_waiting_rows", "Rows that aren't in the warehouse yet.", labels=["model"]
                ),
                lambda state: state.log_waiting,
            ),
            (
                CounterMetricFamily(
                    "spellbook_model_failed_requests",
                    "Requests that the model had no valid answer to.",
                    labels=["model"],
                ),
                lambda state: state.failed_requests,
            ),
        ]
        for family, value in families:
            for state in self._states:
                family.add_metric([state.model], float(value(state)))  # type: ignore[attr-defined]
            yield family
        challengers: list[tuple[Metric, Callable[[ChallengerHealth], float]]] = [
            (
                GaugeMetricFamily(
                    "spellbook_model_challenger_version", "Challenging version; 0 if there is none.", labels=["model"]
                ),
                lambda state: state.version or 0,
            ),
            (
                GaugeMetricFamily(
                    "spellbook_model_challenger_refused",
                    "Whether the registry's challenger can't be loaded.",
                    labels=["model"],
                ),
                lambda state: state.is_refused,
            ),
            (
                CounterMetricFamily(
                    "spellbook_model_challenger_answers", "Rows that the challenger answered.", labels=["model"]
                ),
                lambda state: state.answered,
            ),
            (
                CounterMetricFamily(
                    "spellbook_model_challenger_dropped",
                    "Rows that the challenger had no time for, or whose answers couldn't be stored.",
                    labels=["model"],
                ),
                lambda state: state.dropped,
            ),
            (
                CounterMetricFamily(
                    "spellbook_model_challenger_failed",
                    "Rows that the challenger had no valid answer to.",
                    labels=["model"],
                ),
                lambda state: state.failed,
            ),
            (
                CounterMetricFamily(
                    "spellbook_model_challenger_disagreements",
                    "Rows for which the challenger predicts another outcome than the champion.",
                    labels=["model"],
                ),
                lambda state: state.disagreements,
            ),
        ]
        for family, count in challengers:
            for state in self._states:
                if state.challenger:
                    family.add_metric([state.model], float(count(state.challenger)))  # type: ignore[attr-defined]
            yield family


def exposition(states: Iterable[Health]) -> Response:
    """Return the metrics of the states of models."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_States(states))
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)
