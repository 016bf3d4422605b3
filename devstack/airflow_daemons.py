"""Airflow's four components as children of one process.

Four ``airflow …`` commands would each spend the seconds that importing Airflow takes. Here three of them are forked
from one parent that has imported it once, with what tasks use, so that the executor's forks find it in memory; the API
server, the slowest to start, imports its own part meanwhile on the other core.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType

import psycopg

from devstack.environment import ADMIN
from devstack.postgres import Postgres
from devstack.process import Record, stop
from devstack.state import State
from include import settings

# Logs are read from the disk that all share: a server for them would listen on every interface.
API_SERVER = ("api-server",)
COMPONENTS = (("scheduler", "--skip-serve-logs"), ("dag-processor",), ("triggerer", "--skip-serve-logs"))

COMMAND = "airflow.__main__"
API_MODULES = (COMMAND, "airflow.api_fastapi.main")
CORE_MODULES = (
    COMMAND,
    "airflow.dag_processing.processor",
    "airflow.executors.local_executor",
    "airflow.jobs.scheduler_job_runner",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
)
LIBRARIES = (
    "airflow.providers.slack.hooks.slack_webhook",
    "airflow.providers.smtp.hooks.smtp",
    "pandas",
    "pandera.backends.pandas.builtin_checks",
    "pandera.pandas",
    "pyarrow.parquet",
    "pydantic",
    "requests",
    "tenacity",
    "yaml",
)


def main() -> None:
    """Prepare the metadata database, start the components, and end them all when one ends or when told to."""
    state = State.open()
    _end_orphans(state)
    prepared, preparation = os.pipe()
    api_server = _fork(*API_SERVER, log=_log(state, API_SERVER), before=lambda: _import_and_wait(prepared, preparation))
    _import(CORE_MODULES)
    _prepare(state)
    os.write(preparation, b".")
    children = {api_server: API_SERVER[0]}
    for component in COMPONENTS:
        children[_fork(*component, log=_log(state, component))] = component[0]
    for child, name in children.items():
        Record.of(child, "").write(_record(state, name))
    pools = state.airflow_home / "pools.json"
    _write_private(pools, {pool.name: {"slots": pool.slots, "description": pool.doc} for pool in settings.POOLS})
    importer = _fork("pools", "import", str(pools))

    def end(signum: int, frame: FrameType | None) -> None:
        del signum, frame
        for child in children:
            os.kill(child, signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    _finish(importer)
    ended, status = os.wait()
    print(f"{children.pop(ended, ended)} ended with status {os.waitstatus_to_exitcode(status)}", file=sys.stderr)
    end(signal.SIGTERM, None)
    while children:
        children.pop(os.wait()[0], None)


def _prepare(state: State) -> None:
    """Create and migrate the databases."""
    postgres = Postgres(state.root / "postgres", state.port("postgres"), state.secret("postgres"))
    _wait_for(postgres)
    for database in ("airflow", "warehouse"):
        postgres.create_database(database)
    _write_private(state.root / "passwords.json", {ADMIN: state.secret(ADMIN)})
    migration = _fork("db", "migrate")
    if sys.platform != "darwin":  # Apple's numeric libraries don't stand a fork
        _import(LIBRARIES)
    _finish(migration)


def _import_and_wait(prepared: int, preparation: int) -> None:
    """Import the API server's modules, and wait until the parent has prepared the database."""
    os.close(preparation)
    _import(API_MODULES)
    if not os.read(prepared, 1):
        os._exit(1)  # the parent has ended


def _import(modules: Iterable[str]) -> None:
    for module in modules:
        importlib.import_module(module)


def _end_orphans(state: State) -> None:
    """End components that outlived a parent which was killed: two schedulers of one database would both start runs."""
    for name, *_ in (API_SERVER, *COMPONENTS):
        record = Record.read(_record(state, name))
        orphan = record.process() if record else None
        if orphan:
            stop(orphan)


def _record(state: State, name: str) -> Path:
    return state.airflow_home / f"{name}.json"


def _log(state: State, component: tuple[str, ...]) -> Path:
    return state.logs / f"{component[0]}.log"


def _fork(*arguments: str, log: Path | None = None, before: Callable[[], None] | None = None) -> int:
    """Run ``airflow <arguments>`` in a forked child, after ``before``; return its process id."""
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
    except SystemExit as end:
        os._exit(end.code if isinstance(end.code, int) else 1)
    os._exit(0)


def _finish(child: int) -> None:
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status:
        sys.exit(status)


def _wait_for(postgres: Postgres, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            psycopg.connect(postgres.uri()).close()
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def _write_private(path: Path, content: object) -> None:
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))


if __name__ == "__main__":
    main()
