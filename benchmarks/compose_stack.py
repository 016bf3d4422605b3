"""The Celery stack: this repository's Compose file and that of Airflow's quick start.

Both run on the same engine in turn, from built images and with new volumes, with one DAG file more: ten tasks in a
chain that do nothing; 100 mapped ones, four at a time; 60 DAGs that are triggered at once. The limit is as many starts
of a Python process as there are tasks, four at a time where tasks may overlap. Memory is what the engine reports for
each container a minute after the start, without page cache. The official file is downloaded, or read from
``$OFFICIAL_COMPOSE``; its example DAGs are switched off. Its worker has 16 processes, ours 4.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import requests
import yaml

from benchmarks.comparison import Comparison, Goal, Role, Series
from devstack.api import Airflow
from devstack.errors import StackError
from devstack.state import REPOSITORY, free_port
from devstack.waiting import wait_for

OFFICIAL = "https://airflow.apache.org/docs/apache-airflow/3.3.2/docker-compose.yaml"
OFFICIAL_LOGIN = ("airflow", "airflow")
IDLE_SECONDS = 60
UNITS = {"B": 1e-6, "KiB": 1024e-6, "MiB": 1.048576, "GiB": 1073.741824}
DAGS, THREADS, SLOTS = 60, 20, 4
CHAIN, MAPPED = "bench_chain", "bench_mapped"
FILE = f"""
from datetime import datetime
from airflow.providers.standard.operators.python import PythonOperator
from airflow.sdk import DAG, chain

ARGUMENTS = dict(schedule=None, start_date=datetime(2024, 1, 1), is_paused_upon_creation=False)

def nothing(number=0):
    pass

with DAG("{CHAIN}", **ARGUMENTS):
    chain(*(PythonOperator(task_id=f"task_{{number}}", python_callable=nothing) for number in range(10)))
with DAG("{MAPPED}", max_active_tasks={SLOTS}, **ARGUMENTS):
    PythonOperator.partial(task_id="task", python_callable=nothing).expand(op_args=[[n] for n in range(100)])
for number in range({DAGS}):
    with DAG(f"bench_{{number}}", **ARGUMENTS):
        PythonOperator(task_id="task", python_callable=nothing)
"""


@dataclass
class Measured:
    """What was measured of one stack: seconds, MB of each service, and triggers that failed."""

    start: list[float] = field(default_factory=list)
    chain: list[float] = field(default_factory=list)
    mapped: list[float] = field(default_factory=list)
    many: list[float] = field(default_factory=list)
    errors: list[float] = field(default_factory=list)
    megabytes: list[dict[str, float]] = field(default_factory=list)


def compare(repeats: int) -> list[Comparison]:
    """Start each stack once; run the DAGs ``repeats`` times, at most three.

    Raises:
        SystemExit: without a container engine.
    """
    if not has_engine():
        sys.exit("compose_stack needs a container engine: start Docker, or name other benchmarks with OF=")
    ours, official = Measured(), Measured()
    with tempfile.TemporaryDirectory(prefix="spellbook-compose-") as scratch:
        folders = [Path(scratch, name) for name in ("official", "ours")]
        _write_official(os.environ.get("OFFICIAL_COMPOSE"), folders[0])
        clone(folders[1])
        for folder, measured in zip(folders, (official, ours), strict=True):
            _measure(folder, measured, min(repeats, 3))
    return [
        _row("until every service is healthy", "s", "start", ours, official, None),
        _row("a chain of 10 tasks", "s", "chain", ours, official, _processes(10, 1), Goal(at_most=5)),
        _row(
            "100 mapped tasks, 4 at a time",
            "s",
            "mapped",
            ours,
            official,
            _processes(100, SLOTS),
            Goal(at_most=1, of=Role.BASELINE),
        ),
        _row("60 DAGs at once", "s", "many", ours, official, _processes(DAGS, SLOTS)),
        _row("triggers that failed, of 60", "triggers", "errors", ours, official, None, Goal(at_most=0)),
        *_memory(ours, official),
    ]


def clone(folder: Path) -> None:
    """Clone the last commit of this repository into a folder."""
    subprocess.run(["git", "clone", "--quiet", str(REPOSITORY), str(folder)], check=True)


def has_engine() -> bool:
    """Return whether a container engine answers."""
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


def _row(
    what: str, unit: str, name: str, ours: Measured, official: Measured, limit: float | None, goal: Goal | None = None
) -> Comparison:
    series = [Series(Role.OURS, "", getattr(ours, name)), Series(Role.BASELINE, "", getattr(official, name))]
    if limit is not None:
        series.append(Series(Role.LIMIT, "", [limit]))
    return Comparison(what, unit, tuple(series), goal)


def _memory(ours: Measured, official: Measured) -> list[Comparison]:
    """Return a row for each of Airflow's services, and their sum."""
    mine, other = ours.megabytes[0], official.megabytes[0]
    common = [service for service in mine if service in other and service.startswith("airflow-")]
    each = [
        Comparison(service, "MB", (Series(Role.OURS, "", [mine[service]]), Series(Role.BASELINE, "", [other[service]])))
        for service in common
    ]
    sums = (sum(values[service] for service in common) for values in (mine, other))
    series = tuple(Series(role, "", [value]) for role, value in zip((Role.OURS, Role.BASELINE), sums, strict=True))
    return [*each, Comparison("Airflow's services", "MB", series, Goal(at_most=1, of=Role.BASELINE))]


def _measure(folder: Path, measured: Measured, repeats: int) -> None:
    with running(folder) as stack:
        measured.start.append(stack.start_seconds)
        time.sleep(IDLE_SECONDS)
        measured.megabytes.append(stack.megabytes())
        _run(stack.airflow, CHAIN)  # the first run pays for imports
        for _ in range(repeats):
            measured.chain.append(_run(stack.airflow, CHAIN))
            measured.mapped.append(_run(stack.airflow, MAPPED))
            seconds, errors = run_many(stack.airflow)
            measured.many.append(seconds)
            measured.errors.append(errors)


@dataclass(frozen=True)
class Running:
    """A Compose project that runs the DAGs of this benchmark; ``services`` maps its containers to their services."""

    airflow: Airflow
    services: dict[str, str]
    start_seconds: float

    def megabytes(self) -> dict[str, float]:
        """Return what each service uses now, without page cache."""
        command = ["docker", "stats", "--no-stream", "--format", "json", *self.services]
        stats = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        return {
            self.services[item["Name"]]: _megabytes(item["MemUsage"]) for item in map(json.loads, stats.splitlines())
        }


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Start the Compose project of a folder with the DAGs, and remove it with its data at the end."""
    (folder / "dags" / "bench.py").write_text(FILE, encoding="utf-8")
    (folder / "dags" / "bench.py").chmod(0o644)
    port = free_port()
    own = {"AIRFLOW_UID": "50000", "PORT": str(port), "SPELLBOOK_PORT": str(port), "SPELLBOOK_IMAGE": "spellbook:bench"}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("SPELLBOOK_")} | own

    def compose(*arguments: str) -> str:
        command = ["docker", "compose", "--project-name", f"bench-{folder.name}", *arguments]
        done = subprocess.run(command, cwd=folder, env=environment, check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    try:
        compose("build", "--quiet")
        started_at = time.monotonic()
        compose("up", "--detach", "--wait")
        seconds = time.monotonic() - started_at
        listed = map(json.loads, compose("ps", "--format", "json").splitlines())
        is_ours = (folder / "deploy").exists()
        login = ("admin", _secret(compose("run", "--rm", "cli", "credentials"))) if is_ours else OFFICIAL_LOGIN
        airflow = Airflow(f"http://localhost:{port}", *login)
        expected = {CHAIN, MAPPED, *(f"bench_{number}" for number in range(DAGS))}
        wait_for(lambda: expected <= set(airflow.dag_ids()), "the DAGs to be listed", progress=airflow.dag_ids)
        yield Running(airflow, {item["Name"]: item["Service"] for item in listed}, seconds)
    finally:
        compose("down", "--volumes", "--timeout", "5")


def _megabytes(usage: str) -> float:
    """Parse the memory usage of ``docker stats``, such as ``341.1MiB / 4GiB``."""
    text = usage.split(" / ")[0]
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * UNITS[unit]


def _secret(printed: str) -> str:
    """Return the password of ``admin`` among the printed credentials, which is the first."""
    return next(line.split()[-1] for line in printed.splitlines() if line.startswith("password"))


def _run(airflow: Airflow, dag_id: str) -> float:
    """Run a DAG, and return the seconds from its trigger to its end."""
    run_id = airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": datetime.now(UTC).isoformat()})["dag_run_id"]
    [run] = wait_for(
        lambda: [run for run in airflow.runs(dag_id, [run_id]) if run["state"] in {"success", "failed"}],
        f"a run of {dag_id}",
        progress=lambda: [task["state"] for task in airflow.task_instances(dag_id, run_id)],
        poll=0.5,
    )
    if run["state"] != "success":
        sys.exit(f"{dag_id} failed")
    return _seconds(run["queued_at"], run["end_date"])


def run_many(airflow: Airflow) -> tuple[float, int]:
    """Trigger 60 DAGs at once; return the seconds until the last has ended, and how many triggers failed."""
    errors = []

    def trigger(dag_id: str) -> dict[str, str] | None:
        try:
            return dict(airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": datetime.now(UTC).isoformat()}))
        except StackError as error:
            errors.append(error)
            return None

    with ThreadPoolExecutor(THREADS) as pool:
        queued = [run for run in pool.map(trigger, (f"bench_{number}" for number in range(DAGS))) if run]

    def ended() -> list[str]:
        runs = (airflow.runs(run["dag_id"], [run["dag_run_id"]])[0] for run in queued)
        return [str(run["end_date"]) for run in runs if run["state"] in {"success", "failed"}]

    ends = wait_for(lambda: ends if len(ends := ended()) == len(queued) else [], "60 runs", progress=ended, poll=1)
    return _seconds(min(run["queued_at"] for run in queued), max(ends)), len(errors)


def _seconds(start: str, end: str) -> float:
    return (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds()


def _processes(count: int, at_once: int) -> float:
    """Return the seconds to start Python that often."""
    started_at = time.perf_counter()
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(lambda _: subprocess.run([sys.executable, "-c", ""], check=True), range(count)))
    return time.perf_counter() - started_at


def _write_official(source: str | None, folder: Path) -> None:
    """Write the official quick start: its Compose file and folders."""
    text = Path(source).read_text() if source else requests.get(OFFICIAL, timeout=30).text
    definition = yaml.safe_load(text)
    for service in definition["services"].values():
        if "AIRFLOW__CORE__LOAD_EXAMPLES" in service.get("environment", {}):
            service["environment"]["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
        if "ports" in service:
            service["ports"] = ["${PORT}:8080"]
    for name in ("dags", "logs", "config", "plugins"):
        (folder / name).mkdir(parents=True)
        (folder / name).chmod(0o777)
    (folder / "docker-compose.yaml").write_text(yaml.safe_dump(definition))
