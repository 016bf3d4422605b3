"""The loop of ``make run``.

Each measurement is a whole command, as a user gives it in a clone of the last commit. The limit is the tasks' own time:
the pipeline's functions in one process for the weather pipeline, the tasks' durations in Airflow for
``my_first_spell``. The baseline of an edit is ``airflow standalone`` with the same file: wait until the edit is there,
trigger, and ask until the run has ended. A cold start waits for Airflow's API server, which builds its application for
6 to 8 s on one core; everything else starts in parallel.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.comparison import Comparison, Goal, Role, Series, take_turns
from benchmarks.own_stack import seconds_of
from benchmarks.standalone import Standalone, standalone
from devstack.api import Airflow
from devstack.state import REPOSITORY, STATE_VARIABLE, State

WEATHER, SPELL = "weather_data_pipeline", "my_first_spell"
ABOVE = 3.0  # seconds above the tasks' own time


def compare(repeats: int) -> list[Comparison]:
    """Measure a fresh clone, cold and warm starts, and an edit."""
    with tempfile.TemporaryDirectory(prefix="spellbook-bench-") as folder:
        clone = Path(folder) / "clone"
        try:
            fresh = _timed(partial(_fresh, clone))
            cold = [_cold(clone) for _ in range(min(repeats, 3))]
            alone, warm, edited = take_turns(
                repeats,
                partial(_timed, partial(_baseline, clone)),
                partial(_timed, partial(_make, clone, "run")),
                partial(_timed, partial(_edit_and_run, clone, WEATHER)),
            )
            with standalone(clone / "dags" / f"{SPELL}.py") as other:
                loops, others = take_turns(repeats, partial(_loop, clone), partial(_loop_of_another, other))
            stopped = [_stopped(clone) for _ in range(2)]
        finally:
            subprocess.run(["make", "clean"], cwd=clone, env=_environment(), capture_output=True, check=False)
    limit = Series(Role.LIMIT, "", alone)
    return [
        Comparison("a fresh clone, package cache warm", "s", (Series(Role.OURS, "", [fresh]), limit), Goal(at_most=30)),
        Comparison("cold: no data yet", "s", (Series(Role.OURS, "", cold), limit), Goal(at_most=15)),
        Comparison("stopped: with data", "s", (Series(Role.OURS, "", stopped), limit), Goal(at_most=15)),
        Comparison("warm", "s", (Series(Role.OURS, "", warm), limit), Goal(at_most=3.5)),
        Comparison("a DAG was edited", "s", (Series(Role.OURS, "", edited), limit), Goal(at_most=3.5)),
        Comparison(
            "an edit of a small DAG, above its tasks' own time",
            "s",
            (Series(Role.OURS, "", loops), Series(Role.BASELINE, "airflow standalone", others)),
            Goal(at_most=ABOVE),
        ),
    ]


def _timed(action: Callable[[], None]) -> float:
    started_at = time.perf_counter()
    action()
    return time.perf_counter() - started_at


def _fresh(clone: Path) -> None:
    shutil.rmtree(clone, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(clone)], check=True)
    _make(clone, "run")


def _cold(clone: Path) -> float:
    _make(clone, "clean")
    return _timed(partial(_make, clone, "run"))


def _stopped(clone: Path) -> float:
    _make(clone, "down")
    return _timed(partial(_make, clone, "run"))


def _baseline(clone: Path) -> None:
    command = [str(clone / ".venv" / "bin" / "python"), "-m", "benchmarks.baseline"]
    subprocess.run(command, cwd=clone, env=_environment(), capture_output=True, check=True)


def _edit_and_run(clone: Path, dag_id: str) -> None:
    edit(clone / "dags" / f"{dag_id}.py")
    _make(clone, "run", f"DAG={dag_id}")


def _loop(clone: Path) -> float:
    """Edit and run; return the seconds above the tasks' own time."""
    seconds = _timed(partial(_edit_and_run, clone, SPELL))
    airflow = Airflow.of(State.open(clone / ".devstack"))
    [newest, *_] = airflow.get(f"/dags/{SPELL}/dagRuns", order_by="-start_date", limit=1)["dag_runs"]
    return seconds - sum(map(seconds_of, airflow.task_instances(SPELL, newest["dag_run_id"])))


def _loop_of_another(other: Standalone) -> float:
    started_at = time.perf_counter()
    edit(other.file)
    own = other.run(SPELL)
    return time.perf_counter() - started_at - own


def edit(file: Path) -> None:
    """Change the first line of a DAG file's docstring, which is the DAG's documentation, too."""
    text = file.read_text(encoding="utf-8")
    file.write_text(re.sub(r'^"""(\d+ )?', f'"""{time.time_ns()} ', text), encoding="utf-8")


def _make(clone: Path, target: str, *settings: str) -> None:
    result = subprocess.run(
        ["make", target, *settings], cwd=clone, env=_environment(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        sys.exit(f"`make {target}` failed:\n{result.stdout}\n{result.stderr}")


def _environment() -> dict[str, str]:
    """Return the caller's environment without references to the caller's own stack or make."""
    without = {STATE_VARIABLE, "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH", "DAG", "OF"}
    return {name: value for name, value in os.environ.items() if name not in without}
