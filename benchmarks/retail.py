"""One retail DAG compared with three connected by assets: ``python -m benchmarks.retail``.

Both do the same work on the embedded stack, on the recorded days and on days with their rows multiplied. The time is
Airflow's: from the start of the first run to the end of the last, including the wait for the next DAG. The baseline is
the work itself, without Airflow.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from upath import UPath

from devstack.api import Airflow
from devstack.environment import Upstream
from devstack.errors import StackError
from devstack.postgres import Postgres
from devstack.stack import Stack
from devstack.state import REPOSITORY, State
from devstack.upstreams.records import DATA
from include.core.settings import RETAIL
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.domains.retail import pipeline
from include.domains.retail.files import find

RECORDED = REPOSITORY / "include" / "data" / "retail"
ONE, THREE = "retail_monolith", ("retail_validate", "retail_transform", "retail_report")
TIMEOUT = 1800


def main() -> int:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retail", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--copies", type=int, nargs="+", default=[1, 50], help="copies of each row in its file")
    arguments = parser.parse_args()
    console = Console()
    table = Table(title="Retail: seconds of wall time, median (min to max)", title_justify="left")
    for heading in ("rows", "one DAG", "three DAGs", "without Airflow"):
        table.add_column(heading, justify="right")
    with tempfile.TemporaryDirectory(prefix="spellbook-retail-") as scratch:
        folder = Path(scratch, "files")
        stack = _stack(Path(scratch), folder)
        server = _server(stack)
        try:
            stack.ensure(("airflow", "sinks"))
            airflow = Airflow.of(stack.state)
            _unpause(airflow)
            for copies in arguments.copies:
                rows = _write(folder, copies)
                variants: list[Callable[[], float]] = [
                    partial(_run_chain, airflow, (ONE,)),
                    partial(_run_chain, airflow, THREE),
                    partial(_run_without_airflow, server.uri("warehouse"), folder),
                ]
                variants[0]()  # warm-up: the first run pays for imports
                times: list[list[float]] = [[], [], []]
                for _ in range(arguments.repeats):
                    for variant, seconds in zip(variants, times, strict=True):
                        seconds.append(variant())
                table.add_row(f"{rows:,}", *(_formatted(seconds) for seconds in times))
        finally:
            stack.stop()
            server.remove()
    console.print(table)
    return 0


def _stack(scratch: Path, folder: Path) -> Stack:
    dags = scratch / "dags"
    dags.mkdir()
    for dag_id in (ONE, *THREE):
        shutil.copy(REPOSITORY / "dags" / f"{dag_id}.py", dags)
    scratch.chmod(0o755)
    stack = Stack(State.open(scratch / "stack"), Upstream.REPLAY, schedule=True, durable=False)
    return replace(stack, overrides={RETAIL.name: url_of(folder), "AIRFLOW__CORE__DAGS_FOLDER": str(dags)})


def _server(stack: Stack) -> Postgres:
    return Postgres.of(stack.state, durable=False)


def _unpause(airflow: Airflow) -> None:
    """Unpause the DAGs as soon as they are parsed."""
    remaining = {ONE, *THREE}
    deadline = time.monotonic() + TIMEOUT
    while remaining:
        for dag_id in sorted(remaining):
            with suppress(StackError):
                airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
                remaining.discard(dag_id)
        if time.monotonic() > deadline:
            sys.exit(f"not parsed: {', '.join(sorted(remaining))}")
        time.sleep(0.5)


def _write(folder: Path, copies: int) -> int:
    """Write each recorded day with that many copies, each with its own invoices; return the rows of all days."""
    folder.mkdir(exist_ok=True)
    rows = 0
    for path in sorted((DATA / "retail").glob("online_retail_*.csv")):
        header, *lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        copied = (line.replace(",", f"-{copy},", 1) for copy in range(copies) for line in lines)
        (folder / path.name).write_text(header + "".join(copied), encoding="utf-8")
        rows += len(lines) * copies
    return rows


def _run_chain(airflow: Airflow, dag_ids: tuple[str, ...]) -> float:
    """Start the first DAG, wait for those that its assets start in turn, and return the seconds until the last ends."""
    started_at = datetime.now(UTC)
    first = airflow.post(f"/dags/{dag_ids[0]}/dagRuns", {"logical_date": started_at.isoformat()})
    last = _wait_for_run(airflow, dag_ids[0], lambda: airflow.runs(dag_ids[0], [first["dag_run_id"]]))
    for dag_id in dag_ids[1:]:
        last = _wait_for_run(airflow, dag_id, partial(airflow.runs_since, dag_id, started_at, "asset_triggered"))
    moments = [datetime.fromisoformat(moment) for moment in (first["queued_at"], last["end_date"])]
    return (moments[1] - moments[0]).total_seconds()


def _wait_for_run(airflow: Airflow, dag_id: str, get_runs: Callable[[], list[dict[str, Any]]]) -> dict[str, Any]:
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        for run in get_runs():
            if run["state"] == "failed":
                sys.exit(f"{dag_id} failed:\n{_failure_logs(airflow, dag_id, run['dag_run_id'])}")
            if run["state"] == "success":
                return run
        time.sleep(0.2)
    sys.exit(f"no run of {dag_id} ended within {TIMEOUT} s")


def _failure_logs(airflow: Airflow, dag_id: str, run_id: str) -> str:
    """Return the end of each failed task's log."""
    failed = [task for task in airflow.task_instances(dag_id, run_id) if task["state"] == "failed"]
    return "\n".join(line for task in failed for line in (task["task_id"], *airflow.log(task)[-20:]))


def _run_without_airflow(uri: str, folder: Path) -> float:
    started_at = time.perf_counter()
    attempt = Attempt("benchmark", "alone", datetime.now(UTC).isoformat(), 1, run_started=datetime.now(UTC))
    for file in find([UPath(folder)], None):
        pipeline.validate(UPath(file["source"]), uri, file["partition"], attempt)
        pipeline.transform(uri, file["partition"], attempt)
    return time.perf_counter() - started_at


def _formatted(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.1f} ({min(seconds):.1f} to {max(seconds):.1f})"


if __name__ == "__main__":
    sys.exit(main())
