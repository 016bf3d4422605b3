"""An embedded stack of a benchmark's own, with only its DAG files."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from devstack.api import Airflow
from devstack.environment import Upstream
from devstack.errors import StackError
from devstack.postgres import Postgres
from devstack.stack import Stack
from devstack.state import State
from devstack.waiting import Activity, wait_for

ENDED = {"success", "failed"}


@dataclass(frozen=True)
class OwnStack:
    """A running stack; ``folder`` is removed with it."""

    stack: Stack
    airflow: Airflow
    server: Postgres
    folder: Path

    def run(self, dag_id: str, **conf: object) -> dict[str, Any]:
        """Run a DAG, and return the run.

        Raises:
            SystemExit: if the run fails; the end of each failed task's log is printed.
        """
        queued = self.airflow.post(
            f"/dags/{dag_id}/dagRuns", {"logical_date": datetime.now(UTC).isoformat(), "conf": conf}
        )
        return self.wait(dag_id, lambda: self.airflow.runs(dag_id, [queued["dag_run_id"]]))

    def wait(self, dag_id: str, get_runs: Callable[[], list[dict[str, Any]]]) -> dict[str, Any]:
        """Wait until the first of the runs has ended, and return it; raises as :meth:`run` does."""
        [run, *_] = wait_for(
            lambda: [run for run in get_runs() if run["state"] in ENDED],
            f"a run of {dag_id}",
            progress=self._activity(),
        )
        if run["state"] == "failed":
            sys.exit(f"{dag_id} failed:\n{self.failure_logs(dag_id, run['dag_run_id'])}")
        return run

    def tasks(self, run: Mapping[str, Any]) -> list[dict[str, Any]]:
        """Return the task instances of a run."""
        return self.airflow.task_instances(run["dag_id"], run["dag_run_id"])

    def _activity(self) -> Activity:
        return Activity(list(self.stack.state.services.glob("*.json")))

    def failure_logs(self, dag_id: str, run_id: str) -> str:
        """Return the ends of the logs of a run's failed tasks."""
        failed = [task for task in self.airflow.task_instances(dag_id, run_id) if task["state"] == "failed"]
        return "\n".join(line for task in failed for line in (task["task_id"], *self.airflow.log(task)[-20:]))

    def unpause(self, dag_ids: Iterable[str]) -> None:
        """Unpause the DAGs as soon as they are parsed."""
        for dag_id in dag_ids:
            wait_for(partial(self._unpaused, dag_id), f"{dag_id} to be parsed", progress=self._activity())

    def _unpaused(self, dag_id: str) -> bool:
        with suppress(StackError):
            self.airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
            return True
        return False


@contextmanager
def own_stack(
    files: Mapping[str, str],
    services: Iterable[str] = ("airflow",),
    overrides: Mapping[str, str] | None = None,
    configure: Callable[[Stack], Mapping[str, str]] = lambda _: {},
) -> Iterator[OwnStack]:
    """Start a stack whose DAG folder has ``files`` (text by name); stop it, and remove its data, at the end.

    ``overrides`` are environment variables of Airflow, and ``configure`` returns those that depend on the stack.
    """
    with tempfile.TemporaryDirectory(prefix="spellbook-bench-") as scratch:
        folder = Path(scratch)
        folder.chmod(0o755)
        dags = folder / "dags"
        dags.mkdir()
        for name, text in files.items():
            (dags / name).write_text(text, encoding="utf-8")
        stack = Stack(
            State.open(folder / "stack"),
            Upstream.REPLAY,
            schedule=True,
            durable=True,
            overrides={"AIRFLOW__CORE__DAGS_FOLDER": str(dags)} | dict(overrides or {}),
        )
        stack = replace(stack, overrides={**stack.overrides, **configure(stack)})
        server = Postgres.of(stack.state)
        try:
            stack.ensure(services)
            yield OwnStack(stack, Airflow.of(stack.state), server, folder)
        finally:
            stack.stop()
            server.remove()


def seconds_of(instance: Mapping[str, Any]) -> float:
    """Return how long a task instance, or a run, took."""
    start, end = (datetime.fromisoformat(instance[name]) for name in ("start_date", "end_date"))
    return (end - start).total_seconds()
