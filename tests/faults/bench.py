"""Airflow with Celery workers as real processes of one machine, each of which can be killed on its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import boto3
import psutil
import psycopg
import redis
from psycopg.rows import dict_row
from typing_extensions import override

from devstack import metadata, process
from devstack.api import Airflow
from devstack.environment import ADMIN, get_local, local_url
from devstack.postgres import Postgres
from devstack.process import Record, spawn
from devstack.services import Service, declare
from devstack.stack import Stack
from devstack.state import REPOSITORY, STATE_VARIABLE, State
from devstack.waiting import Activity, wait_for
from include import settings
from tests.faults.ledger import Ledger
from tests.faults.proxy import TcpProxy
from tests.faults.statsd import Statsd

BUCKET = "faults"
DAGS = REPOSITORY / "tests/faults/dags"
DRAIN = "alerts_drain"
STORES = ("metadata", "warehouse", "redis", "s3", "sinks")
AIRFLOW = ("api-server", "scheduler", "dag-processor", "triggerer", "worker", "worker-second")
COMPONENTS = (*STORES, *AIRFLOW)
SCHEDULED_RUN = """
import sys
from datetime import date
from airflow.utils.session import create_session
from devstack import scheduled_runs
with create_session() as session:
    print(scheduled_runs.create(sys.argv[1], date.fromisoformat(sys.argv[2]), session))
"""
ON_DEMAND = ("mlflow", "scheduler-second")  # run in the tests that need them
STALLED_SECONDS = 240.0

# Shorter than in production, so that what has to time out does so sooner; docs/reliability.md has both.
TEST_PROFILE = {
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "20",
    "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
    "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
    "AIRFLOW__CORE__DEFAULT_TASK_RETRY_DELAY": "1",
    "AIRFLOW__CORE__MAX_TASK_RETRY_DELAY": "4",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "10",
}


@dataclass(frozen=True)
class Processes(Stack):
    """The processes, in one state folder; see :class:`~devstack.stack.Stack` for how they are started.

    Attributes:
        dag_folder: folder with the DAG files.
        sessions: the session that each start began; a component's processes stay in it, whatever becomes of their
            parents, while they overwrite their environment with their title.
    """

    dag_folder: Path = Path()
    sessions: dict[int, float] = field(default_factory=dict)

    @override
    def airflow_environment(self) -> dict[str, str]:
        storage = f"s3://aws_default@{BUCKET}"
        return (
            super().airflow_environment()
            | {
                "AIRFLOW__CORE__DAGS_FOLDER": str(self.dag_folder),
                "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{local_url(self.state, 'task-api')}/execution/",
                "AIRFLOW__CORE__EXECUTOR": "spellbook.celery_executor.CeleryExecutor",
                "AIRFLOW__CORE__PARALLELISM": "32",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": self.metadata.uri("airflow", "postgresql+psycopg2"),
                "AIRFLOW__CELERY__BROKER_URL": self.redis_url,
                "AIRFLOW__CELERY__RESULT_BACKEND": self.metadata.uri("celery", "db+postgresql+psycopg2"),
                "AIRFLOW__CELERY__WORKER_CONCURRENCY": "2",
                "AIRFLOW__METRICS__STATSD_ON": "True",
                "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
                "AIRFLOW__METRICS__STATSD_PORT": str(self.state.port("statsd")),
                "AIRFLOW__COMMON_IO__XCOM_OBJECTSTORAGE_PATH": f"{storage}/xcom",
                "AIRFLOW_CONN_LEDGER_DEFAULT": json.dumps(
                    {"conn_type": "http", "host": local_url(self.state, "ledger")}
                ),
                "AIRFLOW_CONN_METADATA_DEFAULT": self.metadata.uri("airflow", "postgres"),
                "SPELLBOOK_OBJECT_STORAGE": storage,
            }
            | {"AIRFLOW_CONN_AWS_DEFAULT": json.dumps(self._object_storage())}
            | TEST_PROFILE
            | dict(self.overrides)
        )

    def _object_storage(self) -> dict[str, Any]:
        """Return the connection to object storage, through a proxy."""
        declared: dict[str, Any] = json.loads(super().airflow_environment()["AIRFLOW_CONN_AWS_DEFAULT"])
        declared["extra"]["endpoint_url"] = local_url(self.state, "storage")
        return declared

    @property
    def metadata(self) -> Postgres:
        """The server of Airflow's database and of Celery's results."""
        return Postgres(self.state.root / "metadata", self.state.port("metadata"), self.state.secret("metadata"), False)

    @property
    def warehouse(self) -> Postgres:
        """The server of the warehouse; tasks reach it through a proxy."""
        port = self.state.port("warehouse")
        return Postgres(self.state.root / "warehouse", port, self.state.secret("postgres"), False)

    @property
    def redis_url(self) -> str:
        return f"redis://:{self.state.secret('redis')}@127.0.0.1:{self.state.port('redis')}/0"

    @override
    def _declared(self) -> dict[str, Service]:
        airflow = self.airflow_environment()
        worker = {name: value for name, value in airflow.items() if not name.startswith("AIRFLOW__API_AUTH__")}
        worker["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = "sqlite://"  # as in docker-compose.yaml

        def component(name: str, command: Sequence[str], ready: Callable[[Record], bool], **extra: str) -> Service:
            values = (worker if name.startswith("worker") else airflow) | extra
            log = self.state.logs / f"{name}.log"
            start = lambda: self._spawn([sys.executable, "-m", "airflow", *command], log, values, REPOSITORY)  # noqa: E731
            return Service(name, (), start, lambda record: () if ready(record) else (name,), log)

        def server(name: str, database: Postgres) -> Service:
            return Service(name, (name,), database.start, lambda _: (), database.log)

        def consumer(name: str, queue: str) -> Service:
            command = ["celery", "worker", "--skip-serve-logs", "--queues", queue, "--celery-hostname", f"{name}@bench"]
            return component(name, command, lambda _: " ready." in (self.state.logs / f"{name}.log").read_text())

        own = (
            server("metadata", self.metadata),
            server("warehouse", self.warehouse),
            Service("redis", ("redis",), self._start_redis, lambda _: (), self.state.logs / "redis.log"),
            component("api-server", ["api-server"], lambda _: self.responds()),
            *(
                component(name, ["scheduler", "--skip-serve-logs"], self._beats("SchedulerJob"))
                for name in ("scheduler", "scheduler-second")
            ),
            component("dag-processor", ["dag-processor"], self._beats("DagProcessorJob")),
            component("triggerer", ["triggerer", "--skip-serve-logs"], self._beats("TriggererJob")),
            consumer("worker", "default"),
            consumer("worker-second", "second"),
        )
        shared = declare(self.state, airflow)
        return {
            service.name: service
            for service in (*own, shared["sinks"], shared["s3"], replace(shared["mlflow"], needs=()))
        }

    @override
    def stop(self) -> list[str]:
        with self.state.lock():
            return [name for name in (*ON_DEMAND, *reversed(COMPONENTS)) if self._stop(name)]

    def responds(self) -> bool:
        """Tell whether the API server answers."""
        try:
            return get_local(f"{local_url(self.state, 'api')}/api/v2/monitor/health", timeout=5).ok
        except OSError:
            return False

    def prepare(self) -> None:
        """Start the stores, and create databases, bucket and pools."""
        self.state.port("api")  # a free one: 8080 is for the user's own stack
        self.ensure(STORES)
        self.warehouse.prepare_warehouse()
        metadata.prepare(self.state, self.metadata, self.migrate)
        self.metadata.create_database("celery")
        self.create_bucket()
        passwords = self.state.root / "passwords.json"
        passwords.touch(mode=0o600)
        passwords.write_text(json.dumps({ADMIN: self.state.secret(ADMIN)}))
        pools = self.state.airflow_home / "pools.json"
        pools.write_text(
            json.dumps({pool.name: {"slots": pool.slots, "description": pool.doc} for pool in settings.POOLS})
        )
        self.airflow("pools", "import", str(pools))

    def migrate(self) -> None:
        """Create Airflow's tables."""
        self.airflow("db", "migrate")

    def airflow(self, *command: str) -> None:
        """Run a command of Airflow's."""
        self._run("-m", "airflow", *command)

    def create_scheduled_run(self, dag_id: str, day: str) -> str:
        """Create the run that a DAG's schedule has on a day, or clear it if it exists; return its id."""
        return self._run("-c", SCHEDULED_RUN, dag_id, day).splitlines()[-1]

    def _run(self, *arguments: str) -> str:
        result = subprocess.run(
            [sys.executable, *arguments],
            env=self.airflow_environment(),
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=False,
        )
        assert not result.returncode, result.stdout + result.stderr
        return result.stdout

    def create_bucket(self) -> None:
        """Create the bucket, which the S3 server forgets when it ends."""
        self.bucket().create()

    def bucket(self) -> Any:
        """Return the bucket, not through the proxy."""
        return boto3.resource(
            "s3",
            endpoint_url=local_url(self.state, "s3"),
            aws_access_key_id="spellbook",
            aws_secret_access_key=self.state.secret("s3"),
            region_name="us-east-1",
        ).Bucket(BUCKET)

    @contextmanager
    def session(self, name: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
        """Open a session on the database ``airflow``, or one of the warehouse's server, not through the proxy."""
        server = self.metadata if name == "airflow" else self.warehouse
        with psycopg.connect(server.uri(name), row_factory=dict_row, autocommit=True) as session:
            yield session

    def end_sessions(self, name: str, application: str = "%") -> int:
        """End the sessions of other processes on the server of a database; return their number."""
        query = """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() AND application_name LIKE %s
        """
        with self.session(name) as session:
            return len(session.execute(query, [application]).fetchall())

    def reparse(self, file: str) -> None:
        """Have a DAG file parsed again, and wait until it was, whether it loads or not."""
        query = """
            SELECT
                (SELECT max(last_parsed_time) FROM dag WHERE relative_fileloc = %(file)s) AS loaded,
                (SELECT max(timestamp) FROM import_error WHERE filename = %(file)s) AS refused
        """

        def parsed() -> Any:
            with self.session("airflow") as session:
                return session.execute(query, {"file": file}).fetchone()

        before = parsed()
        (self.dags / file).touch()
        self.wait_for_parse(lambda: parsed() != before, f"{file} to be parsed again")

    def process(self, name: str) -> psutil.Process:
        """Return a component's main process."""
        record = Record.read(self._record(name))
        found = record.process() if record else None
        assert found, f"{name} isn't running"
        return found

    def running(self) -> list[str]:
        """Return the names of the components that run."""
        return [name for name in (*ON_DEMAND, *COMPONENTS) if self.is_running(name)]

    def restart_ended(self) -> None:
        """Start the components that have ended, as Compose does."""
        ended = [name for name in COMPONENTS if not self.is_running(name)]
        if ended:
            self.ensure(ended)
        if "s3" in ended:
            self.create_bucket()

    def revive(self) -> None:
        """Start the components that have ended, without waiting until they are ready, except for object storage."""
        for name, service in self._declared().items():
            if name in COMPONENTS and name != "s3" and not self.is_running(name):
                process.keep_previous(service.log)
                Record.of(service.start(), service.fingerprint).write(self._record(name))
        if not self.is_running("s3"):
            self.ensure(["s3"])
            self.create_bucket()

    def kill(self, *names: str) -> None:
        """Send SIGKILL to components with all that they have started, also meanwhile."""
        mains = [self.process(name) for name in names]
        kill_all([member for main in mains for member in (main, *main.children(recursive=True))])
        while left := self._members_of({main.pid for main in mains}):
            kill_all(left)

    def _members_of(self, sessions: set[int]) -> list[psutil.Process]:
        """Return the processes of sessions that this bench began."""
        members = []
        for member in psutil.process_iter(["status"]):
            with suppress(psutil.Error, ProcessLookupError):
                session = os.getsid(member.pid)
                is_zombie = member.info["status"] == psutil.STATUS_ZOMBIE
                if session in sessions and self._is_own(session) and not is_zombie:
                    members.append(member)
        return members

    def kill_main(self, name: str) -> list[psutil.Process]:
        """Send SIGKILL to a component's main process only; return its children, which would end in a container."""
        main = self.process(name)
        children = main.children()
        kill_all([main])
        return children

    def terminate(self, name: str) -> None:
        """Send SIGTERM to a component's main process, as Compose does."""
        self.process(name).terminate()

    def strays(self) -> list[str]:
        """Return the processes of this bench that belong to none of its components."""
        known: set[int] = set()
        for name in (*ON_DEMAND, *COMPONENTS):
            record = Record.read(self._record(name))
            if record and (main := record.process()):
                known |= {main.pid, *(child.pid for child in main.children(recursive=True))}
        found = []
        for candidate in psutil.process_iter(["pid", "cmdline", "status"]):
            try:
                if candidate.pid in known or candidate.info["status"] == psutil.STATUS_ZOMBIE:
                    continue
                if self._is_own(os.getsid(candidate.pid)):
                    found.append(f"{candidate.pid} {' '.join(candidate.info['cmdline'])}")
            except (psutil.Error, ProcessLookupError):
                continue
        return found

    def _is_own(self, session: int) -> bool:
        """Tell whether a session was begun by this bench; its id is given to another once no process is left in it."""
        if session not in self.sessions:
            return False
        try:
            return abs(psutil.Process(session).create_time() - self.sessions[session]) < 1
        except psutil.NoSuchProcess:  # the members have survived their leader
            return True

    def stop_strays(self) -> None:
        """End what belongs to none of the components."""
        for stray in self.strays():
            process.stop(psutil.Process(int(stray.split()[0])))

    def activity(self) -> Activity:
        """Return the progress of all components."""
        services = self._declared()
        return Activity([self._record(name) for name in services], [service.log for service in services.values()])

    def wait(self, condition: Callable[[], Any], what: str, stalled: float = STALLED_SECONDS) -> Any:
        """Wait until the condition holds; fail when no task changes its state any more."""
        query = "SELECT state, count(*), max(try_number) AS tries FROM task_instance GROUP BY state ORDER BY state"
        return self._wait(condition, what, query, stalled)

    def wait_for_parse(self, condition: Callable[[], Any], what: str) -> Any:
        """Wait until the condition holds; fail when no DAG file is parsed any more."""
        query = """
            SELECT
                (SELECT max(last_parsed_time) FROM dag) AS loaded,
                (SELECT max(timestamp) FROM import_error) AS refused
        """
        return self._wait(condition, what, query, STALLED_SECONDS)

    def _wait(self, condition: Callable[[], Any], what: str, query: str, stalled: float) -> Any:
        def progress() -> object:
            try:
                with self.session("airflow") as session:
                    return session.execute(query).fetchall()
            except psycopg.OperationalError:
                return None

        return wait_for(condition, what, progress=progress, stalled=stalled, poll=0.2)

    def _start_redis(self) -> int:
        program = shutil.which("redis-server")
        assert program, "redis-server isn't on PATH"
        folder = self.state.root / "redis"
        folder.mkdir(exist_ok=True)
        config = folder / "redis.conf"
        config.touch(mode=0o600)
        config.write_text(
            f"port {self.state.port('redis')}\nbind 127.0.0.1\ndir {folder}\nappendonly yes\nsave ''\n"
            f"requirepass {self.state.secret('redis')}\n"
        )
        libraries = ":".join(map(str, Path(program).parent.parent.glob("lib/*-linux-gnu")))
        environment = {"PATH": os.defpath, "LD_LIBRARY_PATH": libraries, STATE_VARIABLE: str(self.state.root)}
        return self._spawn([program, str(config)], self.state.logs / "redis.log", environment, folder)

    def _spawn(self, command: Sequence[str], log: Path, environment: Mapping[str, str], folder: Path) -> int:
        pid = spawn(command, log, environment, folder)
        self.sessions[pid] = psutil.Process(pid).create_time()
        return pid

    def redis(self) -> redis.Redis:
        """Return a client of the broker."""
        return redis.Redis.from_url(self.redis_url)

    def _beats(self, job: str) -> Callable[[Record], bool]:
        def beats(record: Record) -> bool:
            query = "SELECT 1 FROM job WHERE job_type = %s AND state = 'running' AND start_date > to_timestamp(%s)"
            try:
                with self.session("airflow") as session:
                    return session.execute(query, [job, record.created]).fetchone() is not None
            except psycopg.OperationalError:  # the database is started at the same time
                return False

        return beats


def kill_all(processes: Sequence[psutil.Process]) -> None:
    """Send SIGKILL to processes, and wait until they have ended."""
    for member in processes:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive, f"still there after SIGKILL: {alive}"


@dataclass(frozen=True)
class Bench:
    """An open bench: its processes, the ledger, the proxies in front of what tasks use, and Airflow's metrics."""

    processes: Processes
    ledger: Ledger
    warehouse_proxy: TcpProxy
    api_proxy: TcpProxy
    storage_proxy: TcpProxy
    statsd: Statsd

    def api(self) -> Airflow:
        return Airflow(local_url(self.processes.state, "api"), ADMIN, self.processes.state.secret(ADMIN))

    def unpause(self) -> None:
        """Wait until the DAGs are parsed, unpause them, and wait until their scheduled runs have ended.

        ``alerts_drain`` stays paused: while alerts wait, it would take a worker's slot each minute.
        """
        files = {path.name for path in self.processes.dags.glob("*.py")}
        self.processes.wait_for_parse(lambda: self.api().files() >= files, "the DAGs to be parsed")
        for dag_id in self.api().dag_ids():
            self.api().patch(f"/dags/{dag_id}", {"is_paused": dag_id == DRAIN})
        self.processes.wait(self._is_idle, "the scheduled runs to end")

    def _is_idle(self) -> bool:
        """Tell whether no run is due, and none goes on."""
        query = """
            SELECT
                EXISTS (SELECT FROM dag WHERE NOT is_paused AND next_dagrun_create_after <= now())
                OR EXISTS (SELECT FROM dag_run WHERE state IN ('queued', 'running')) AS busy
        """
        with self.processes.session("airflow") as session:
            return session.execute(query).fetchone() == {"busy": False}


@contextmanager
def open_bench(folder: Path, overrides: Mapping[str, str] | None = None) -> Iterator[Bench]:
    """Start everything in a folder; stop it at the end."""
    state = State.open(folder)
    dags = state.root / "dags"
    shutil.copytree(DAGS, dags, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(REPOSITORY / "dags" / f"{DRAIN}.py", dags)
    processes = Processes(state, schedule=True, durable=False, overrides=overrides or {}, dag_folder=dags)
    ledger = Ledger(state.port("ledger"))
    warehouse_proxy = TcpProxy(state.port("postgres"), processes.warehouse.port)
    api_proxy = TcpProxy(state.port("task-api"), state.port("api"))
    storage_proxy = TcpProxy(state.port("storage"), state.port("s3"))
    statsd = Statsd(state.port("statsd"))
    with ExitStack() as cleanup:  # the last one first; each, whatever becomes of the others
        for database in (processes.metadata, processes.warehouse):
            cleanup.callback(database.remove)
        cleanup.callback(processes.stop_strays)
        cleanup.callback(processes.stop)
        cleanup.callback(lambda: processes.kill(*processes.running()))
        for server in (statsd, storage_proxy, api_proxy, warehouse_proxy, ledger):
            cleanup.callback(server.close)
        processes.prepare()
        processes.ensure(COMPONENTS)
        yield Bench(processes, ledger, warehouse_proxy, api_proxy, storage_proxy, statsd)
