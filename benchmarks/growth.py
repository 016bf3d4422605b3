"""Memory of the Celery stack while it works.

Our Compose file runs 60 DAGs at once each minute, for half an hour. Memory is what a service's processes have
allocated, without files that the kernel keeps. Growth is the median slope between any two measurements in the last 20
minutes; before, caches fill, and workers import what they need.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

from benchmarks.comparison import Comparison, Goal, Role, Series
from benchmarks.compose_stack import clone, has_engine, run_many, running

AIRFLOW = "airflow-"
MINUTES = 30
MOST = 5.0  # MB an hour
STAT = "cat /sys/fs/cgroup/memory.stat 2>/dev/null || cat /sys/fs/cgroup/memory/memory.stat"
WHY = (
    "a slope over 20 minutes: the row above shows what it amounts to, the smallest and the largest value of that time."
    " Memory that is still being filled counts as growth"
)
ALLOCATED = ("anon", "total_rss")  # of version 2 and 1 of the kernel's control groups


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
                memory.append(
                    {
                        name: _allocated(container)
                        for container, name in stack.services.items()
                        if name.startswith(AIRFLOW)
                    }
                )
                run_many(stack.airflow)
    first = MINUTES // 3
    return [
        comparison
        for service in sorted(memory[0])
        for comparison in _rows(service, hours[first:], [used[service] for used in memory[first:]])
    ]


def _allocated(container: str) -> float:
    """Return the megabytes that a container's processes have allocated."""
    command = ["docker", "exec", container, "sh", "-c", STAT]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    return next(int(value) for name, value in map(str.split, lines) if name in ALLOCATED) / 1e6


def _rows(service: str, hours: list[float], megabytes: list[float]) -> list[Comparison]:
    points = combinations(zip(hours, megabytes, strict=True), 2)
    slope = statistics.median((later - earlier) / (end - start) for (start, earlier), (end, later) in points)
    return [
        Comparison(f"{service}, under load", "MB", (Series(Role.OURS, "", megabytes),)),
        Comparison(f"{service}, growth", "MB/h", (Series(Role.OURS, "", [slope]),), Goal(at_most=MOST), why=WHY),
    ]
