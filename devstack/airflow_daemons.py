"""Airflow's four components as children of one process.

Four ``airflow …`` commands would each take seconds to import Airflow. Instead, three of them are forked from one parent
that has imported it once, with the libraries that tasks use, so that the executor's forks share them; the API server,
the slowest to start, builds its application on another core in the meantime.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from itertools import chain, repeat
from pathlib import Path
from types import FrameType

import psycopg

from devstack import metadata
from devstack.environment import ADMIN
from devstack.postgres import Postgres
from devstack.process import Record, keep_previous, stop
from devstack.state import State
from devstack.waiting import Activity, wait_for
from include import settings

LOG_LINES = 10
LARGEST_LINEAGE = 64 * 2**20  # bytes
WELCOME = (
    "This is the embedded stack. Its connections and variables come from the environment, so **Admin > Connections**"
    " is empty. **Browse > Data health** and `make sql` show the rows that DAGs load, and the report of `make run` says"
    " where its chart is."
)
SIGNAL_SECONDS = 5.0
SIGNAL_ATTEMPTS = 12

# Logs are read from the shared disk: a log server would listen on every interface.
API_SERVER = ("api-server",)
COMPONENTS = (("scheduler", "--skip-serve-logs"), ("dag-processor",), ("triggerer", "--skip-serve-logs"))
NAMES = tuple(name for name, *_ in (API_SERVER, *COMPONENTS))

COMMAND = "airflow.__main__"
CORE_MODULES = (
    COMMAND,
    "airflow.dag_processing.processor",
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    "devstack.dag_processor",
    "devstack.scheduler",
)
LIBRARIES = (
    "airflow.providers.openlineage.plugins.openlineage",
    "airflow.providers.slack.hooks.slack_webhook",
    "airflow.providers.smtp.hooks.smtp",
    "duckdb",
    "pandas",
    "pyarrow.csv",
    "pyarrow.parquet",
    "pydantic",
    "requests",
    "tenacity",
    "yaml",
)


def main() -> None:
    """Prepare the metadata database, start the components, and stop all of them when one ends or on SIGTERM."""
    state = State.open()
    _stop_orphans(state)
    keep_previous(state.lineage, larger_than=LARGEST_LINEAGE)
    _write_private(state.root / "passwords.json", {ADMIN: state.secret(ADMIN)})
    ready_reader, ready_writer = os.pipe()
    api_log = log_of(state, API_SERVER[0])
    api_server = _fork(*API_SERVER, log=api_log, before=lambda: _build_and_wait(ready_reader, ready_writer))
    with _no_garbage_collection():
        _import(CORE_MODULES)
        _prepare(state)
    os.write(ready_writer, b".")
    children = {api_server: API_SERVER[0]}
    for component in COMPONENTS:
        children[_fork(*component, log=log_of(state, component[0]), before=_use_own_classes)] = component[0]
    for child, name in children.items():
        Record.of(child, "").write(record_of(state, name))
    pools = state.airflow_home / "pools.json"
    _write_private(pools, {pool.name: {"slots": pool.slots, "description": pool.doc} for pool in settings.POOLS})
    importer = _fork("pools", "import", str(pools))

    def forward(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, forward)
    try:
        _wait_for_exit(importer)
    except SystemExit:
        _stop(children)
        raise
    ended, status = os.wait()
    name = children.pop(ended, str(ended))
    log = log_of(state, name)
    end = "".join(f"\n  {line}" for line in log.read_text(errors="replace").splitlines()[-LOG_LINES:])
    print(f"{name} ended with status {os.waitstatus_to_exitcode(status)}; the end of {log}:{end}", file=sys.stderr)
    _stop(children)


def _stop(children: dict[int, str]) -> None:
    """Terminate the components; repeat the signal to those that keep running, and finally kill them.

    Airflow's signal handlers raise an exception, which Python discards if it is raised in a garbage collector callback.
    """
    for signum in chain(repeat(signal.SIGTERM, SIGNAL_ATTEMPTS), repeat(signal.SIGKILL)):
        if not children:
            return
        for child in children:
            os.kill(child, signum)
        signalled_at = time.monotonic()
        while children and time.monotonic() - signalled_at < SIGNAL_SECONDS:
            ended = [child for child in children if os.waitpid(child, os.WNOHANG)[0]]
            for child in ended:
                del children[child]
            if not ended:
                time.sleep(0.02)


def record_of(state: State, name: str) -> Path:
    """Return the file with the record of a component's process."""
    return state.airflow_home / f"{name}.json"


def log_of(state: State, name: str) -> Path:
    """Return a component's log."""
    return state.logs / f"{name}.log"


def _prepare(state: State) -> None:
    """Create and migrate the databases."""
    postgres = Postgres.of(state)
    wait_for(
        lambda: _is_responding(postgres),
        "PostgreSQL",
        progress=Activity([state.services / "postgres.json"], [postgres.log]),
        hint=lambda: f"See {postgres.log}",
    )
    postgres.prepare_warehouse()

    libraries = () if sys.platform == "darwin" else LIBRARIES  # Apple's numeric libraries don't survive a fork

    def migrate() -> None:
        migration = _fork("db", "migrate")
        _import(libraries)  # in parallel
        _wait_for_exit(migration)

    metadata.prepare(state, postgres, migrate)
    _import(libraries)


def _is_responding(postgres: Postgres) -> bool:
    try:
        psycopg.connect(postgres.uri()).close()
    except psycopg.OperationalError:
        return False
    return True


def _build_and_wait(ready_reader: int, ready_writer: int) -> None:
    """Build the API server's application, and wait until the parent has prepared the database.

    The task API builds its versions on the first request, for which the first task would wait.
    """
    os.close(ready_writer)
    os.environ["AIRFLOW__OPENLINEAGE__DISABLED"] = "True"  # it runs no task, and the import takes half a second
    with _no_garbage_collection():
        _import([COMMAND])
        from airflow.api_fastapi.common.types import UIAlert
        from airflow.api_fastapi.main import app
        from airflow.settings import DASHBOARD_UIALERTS
        from starlette.testclient import TestClient

        DASHBOARD_UIALERTS.append(UIAlert(text=WELCOME, category="info"))
        TestClient(app, raise_server_exceptions=False).get("/execution/health")
    if not os.read(ready_reader, 1):
        os._exit(1)  # the parent has ended


def _use_own_classes() -> None:
    """Make the commands ``scheduler`` and ``dag-processor`` use this stack's classes."""
    from airflow.cli.commands import dag_processor_command, scheduler_command
    from airflow.executors import local_executor

    from devstack.dag_processor import DagProcessor
    from devstack.scheduler import Executor, Scheduler

    vars(scheduler_command)["SchedulerJobRunner"] = Scheduler
    vars(local_executor)["BaseExecutor"] = Executor
    vars(dag_processor_command)["DagFileProcessorManager"] = DagProcessor


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Disable garbage collection during the start: its scans would take a third of the time."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def _import(modules: Iterable[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def _stop_orphans(state: State) -> None:
    """Stop components that outlived a killed parent: two schedulers on one database would both start runs."""
    for name in NAMES:
        record = Record.read(record_of(state, name))
        orphan = record.process() if record else None
        if orphan:
            stop(orphan)


def _fork(*arguments: str, log: Path | None = None, before: Callable[[], None] | None = None) -> int:
    """Run ``airflow <arguments>`` in a forked child, after ``before``; return its process id."""
    if log is not None:
        keep_previous(log)
    child = os.fork()
    if child:
        return child
    if log is not None:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)
        os.dup2(output, sys.stdout.fileno())
        os.dup2(output, sys.stderr.fileno())
    if before is not None:
        before()
    sys.argv = ["airflow", *arguments]
    try:
        importlib.import_module(COMMAND).main()
        code: object = 0
    except SystemExit as end:
        code = end.code or 0
    if not isinstance(code, int):
        print(code, file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _wait_for_exit(child: int) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        sys.exit(status)


def _write_private(path: Path, content: object) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))


if __name__ == "__main__":
    main()
