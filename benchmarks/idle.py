"""CPU usage of the idle embedded stack, and the latency of a triggered run.

``python -m benchmarks.idle``: CPU time of every process of a stack with schedules disabled, including PostgreSQL, as a
share of one core; then the seconds from a trigger through the REST API until the first task starts.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import psutil
from rich.console import Console

from devstack.api import Airflow
from devstack.environment import Upstream
from devstack.load import load
from devstack.postgres import Postgres
from devstack.stack import Stack
from devstack.state import State

DAG = "my_first_spell"
SETTLE_SECONDS = 60  # for the first parse of all files and other start-up work


def main() -> None:
    """Measure and print the results."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.idle", description=__doc__)
    parser.add_argument("--seconds", type=int, default=120, help="duration of the measurement (default: %(default)s)")
    parser.add_argument("--triggers", type=int, default=10, help="triggered runs (default: %(default)s)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="spellbook-idle-") as folder:
        Path(folder).chmod(0o755)
        stack = Stack(State.open(Path(folder) / "state"), Upstream.REPLAY)
        try:
            stack.ensure(("airflow", "sinks", "upstreams"))
            airflow = Airflow.of(stack.state)
            load(airflow, DAG, stack)
            airflow.patch(f"/dags/{DAG}", {"is_paused": False})
            time.sleep(SETTLE_SECONDS)
            _report(_shares(stack, arguments.seconds), [_latency(airflow) for _ in range(arguments.triggers)])
        finally:
            stack.stop()
            Postgres.of(stack.state).remove()


def _shares(stack: Stack, seconds: int) -> dict[str, float]:
    """Return the CPU time of each service, with all its processes, as a share of one core."""
    before = _cpu(stack)
    time.sleep(seconds)
    after = _cpu(stack)
    return {name: (after[name] - before[name]) / seconds for name in after}


def _cpu(stack: Stack) -> dict[str, float]:
    used = {}
    for service in stack.status():
        if service.pid:
            parent = psutil.Process(service.pid)
            processes = [parent, *parent.children(recursive=True)]
            used[service.name] = sum(sum(member.cpu_times()[:4]) for member in processes)
    return used


def _latency(airflow: Airflow) -> float:
    """Return the seconds from a trigger until the run's first task starts."""
    time.sleep(10)  # idle again
    triggered_at = datetime.now(UTC)
    run_id = airflow.post(f"/dags/{DAG}/dagRuns", {"logical_date": triggered_at.isoformat()})["dag_run_id"]
    while airflow.runs(DAG, [run_id])[0]["state"] not in {"success", "failed"}:
        time.sleep(0.2)
    first = min(task["start_date"] for task in airflow.task_instances(DAG, run_id))
    return (datetime.fromisoformat(first) - triggered_at).total_seconds()


def _report(shares: dict[str, float], latencies: list[float]) -> None:
    console = Console()
    for name, share in sorted(shares.items(), key=lambda pair: -pair[1]):
        console.print(f"{name}: {share:.1%} of a core", highlight=False)
    console.print(f"total: {sum(shares.values()):.1%} of a core", highlight=False)
    spread = f"{min(latencies):.2f} to {max(latencies):.2f}"
    console.print(f"trigger to first task: median {statistics.median(latencies):.2f} s, {spread}", highlight=False)


if __name__ == "__main__":
    main()
