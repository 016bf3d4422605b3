"""Measure the times in docs/performance.md for `make run`: `make bench`.

Each measurement is a whole command, run as a user would in a clone of the last commit. The baseline of a run is the
same work without Airflow, see :mod:`benchmarks.baseline`.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from devstack.state import REPOSITORY, STATE_VARIABLE

DAG_FILE = Path("dags") / "weather_data_pipeline.py"


@dataclass(frozen=True)
class Measurement:
    """Seconds of wall time of one command, ``repeats`` times.

    Attributes:
        limit: of the median, if there is one.
        before: called before each repeat, not measured.
    """

    name: str
    limit: float | None
    action: Callable[[], None]
    repeats: int
    before: Callable[[], None] = lambda: None

    def run(self) -> list[float]:
        """Run the action and return the seconds of each repeat."""
        seconds = []
        for _ in range(self.repeats):
            self.before()
            started_at = time.perf_counter()
            self.action()
            seconds.append(time.perf_counter() - started_at)
        return seconds


def main() -> int:
    """Measure, print the table, and return 1 if a limit was exceeded."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    console = Console()
    table = Table(title="Seconds of wall time", title_justify="left")
    for heading in ("what", "limit", "median", "min", "max", "runs"):
        table.add_column(heading, justify="left" if heading == "what" else "right")
    passed = True
    with tempfile.TemporaryDirectory(prefix="spellbook-bench-") as folder:
        clone = Path(folder) / "clone"
        try:
            for measurement in _measurements(clone, repeats):
                times = measurement.run()
                median = statistics.median(times)
                passed &= measurement.limit is None or median <= measurement.limit
                limit = "" if measurement.limit is None else f"{measurement.limit:g}"
                seconds = (f"{value:.1f}" for value in (median, min(times), max(times)))
                table.add_row(measurement.name, limit, *seconds, str(len(times)))
        finally:
            subprocess.run(["make", "clean"], cwd=clone, env=_environment(), capture_output=True, check=False)
    console.print(table)
    return not passed


def _measurements(clone: Path, repeats: int) -> list[Measurement]:
    return [
        Measurement("fresh clone, warm package cache: git clone, make run", 30, lambda: _fresh(clone), 1),
        Measurement(
            "cold: make run without data", 15, lambda: _make(clone, "run"), repeats, lambda: _make(clone, "clean")
        ),
        Measurement("baseline: the tasks' functions without Airflow", None, lambda: _baseline(clone), repeats),
        Measurement("warm: make run", 3.5, lambda: _make(clone, "run"), repeats),
        Measurement("a DAG was edited: make run", 3.5, lambda: _edit_and_run(clone), repeats),
        Measurement("stopped: make run with data", 15, lambda: _make(clone, "run"), 2, lambda: _make(clone, "down")),
    ]


def _fresh(clone: Path) -> None:
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    _make(clone, "run")


def _baseline(clone: Path) -> None:
    command = [str(clone / ".venv" / "bin" / "python"), "-m", "benchmarks.baseline"]
    subprocess.run(command, cwd=clone, env=_environment(), capture_output=True, check=True)


def _edit_and_run(clone: Path) -> None:
    file = clone / DAG_FILE
    file.write_text(file.read_text() + f"# edited at {time.time_ns()}\n")
    _make(clone, "run")


def _make(clone: Path, target: str) -> None:
    result = subprocess.run(
        ["make", target], cwd=clone, env=_environment(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"`make {target}` failed:\n{result.stdout}\n{result.stderr}")


def _environment() -> dict[str, str]:
    """Return the caller's environment without references to the caller's own stack or make."""
    return {name: value for name, value in os.environ.items() if name not in {STATE_VARIABLE, "MAKEFLAGS", "MAKELEVEL"}}


if __name__ == "__main__":
    sys.exit(main())
