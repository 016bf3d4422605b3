"""Custom metrics, sent through Airflow's metrics client (``[metrics]`` in airflow.cfg)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.observability import stats

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.core.cache import Outcome


def cache_counter(cache: str) -> Callable[[Outcome], None]:
    """Return a function that counts outcomes: ``airflow_spellbook_cache_requests{cache, outcome}`` in Prometheus."""

    def count(outcome: Outcome) -> None:
        stats.incr("spellbook.cache.requests", tags={"cache": cache, "outcome": str(outcome)})

    return count
