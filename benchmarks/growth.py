"""Memory of the Celery stack while it works.

Our Compose file runs 60 DAGs at once each minute, for half an hour. A service's growth is the slope of a line
through its memory of the last two thirds of that time: in the first, caches fill and workers import what they need.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.comparison import Comparison, Goal, Role, Series
from benchmarks.compose_stack import clone, has_engine, run_many, running

MINUTES = 30
MOST = 5.0  # MB an hour


def compare(repeats: int) -> list[Comparison]:
    """Measure once, since it takes half an hour.

    Raises:
        SystemExit: without a container engine.
    """
    del repeats
    if not has_engine():
        sys.exit("growth needs a container engine: start Docker, or name other benchmarks with OF=")
    with tempfile.TemporaryDirectory(prefix="spellbook-growth-") as scratch:
        clone(Path(scratch, "growth"))
        with running(Path(scratch, "growth")) as stack:
            started_at, hours, memory = time.monotonic(), list[float](), list[dict[str, float]]()
            for minute in range(MINUTES + 1):
                time.sleep(max(0, started_at + 60 * minute - time.monotonic()))
                hours.append((time.monotonic() - started_at) / 3600)
                memory.append(stack.megabytes())
                run_many(stack.airflow)
    first = MINUTES // 3
    return [
        comparison
        for service in sorted(memory[0])
        if service.startswith("airflow-")
        for comparison in _rows(service, hours[first:], [used[service] for used in memory[first:]])
    ]


def _rows(service: str, hours: list[float], megabytes: list[float]) -> list[Comparison]:
    slope = statistics.linear_regression(hours, megabytes).slope
    return [
        Comparison(f"{service}, under load", "MB", (Series(Role.OURS, "", megabytes),)),
        Comparison(f"{service}, growth", "MB/h", (Series(Role.OURS, "", [slope]),), Goal(at_most=MOST)),
    ]
