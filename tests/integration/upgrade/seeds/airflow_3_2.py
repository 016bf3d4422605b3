"""Create ``airflow-3.2.tar.xz``: the metadata database of Airflow 3.2 with runs of the plain DAGs, and their logs.

Usage: ``python -m tests.integration.upgrade.seeds.airflow_3_2 VENV``, a virtual environment with
``apache-airflow==3.2.2 asyncpg psycopg2-binary``, installed with ``uv pip install --exclude-newer 2026-06-10``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from devstack.api import Airflow
from devstack.environment import ADMIN, AUTH_MANAGER
from devstack.errors import StackError
from devstack.follow import FINISHED
from devstack.postgres import Postgres
from devstack.state import State
from tests.integration.upgrade.archive import AIRFLOW_3_2, BEFORE, PLAIN, RECIPE, WAITING, keep_fixed_secrets, write
from tests.integration.upgrade.seeds.polling import poll
from tests.integration.upgrade.snapshot import take

COMPONENTS = (
    ("api-server",),
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("triggerer", "--skip-serve-logs"),
)


def main() -> None:
    """Start Airflow, run the DAGs, leave one waiting, and write the archive."""
    programs = Path(sys.argv[1]).absolute() / "bin"
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        state = State.open(Path(name) / "state")
        keep_fixed_secrets(state)
        postgres = Postgres.of(state, durable=False)
        postgres.start()
        try:
            postgres.create_database("airflow")
            with _running(programs, state, postgres) as airflow:
                _seed(airflow)
                (state.root / BEFORE).write_text(json.dumps(take(airflow)))
            write(AIRFLOW_3_2, state, postgres, ["airflow"], ["airflow/logs"])
        finally:
            postgres.remove()


def _environment(state: State, postgres: Postgres) -> dict[str, str]:
    api = f"http://127.0.0.1:{state.port('api')}"
    return {"PATH": os.environ["PATH"], "HOME": os.environ["HOME"]} | {
        "AIRFLOW_HOME": str(state.airflow_home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PLAIN),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__FERNET_KEY": state.fernet_key(),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{api}/execution/",
        "AIRFLOW__CORE__AUTH_MANAGER": AUTH_MANAGER,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(state.root / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": state.secret("jwt"),
        "AIRFLOW__API__SECRET_KEY": state.secret("api"),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(state.port("api")),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri("airflow", "postgresql+psycopg2"),
        "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK": "False",
        "AIRFLOW__CORE__PARALLELISM": "2",  # a busy machine is slow, not broken
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "120",
    }


@contextmanager
def _running(programs: Path, state: State, postgres: Postgres) -> Iterator[Airflow]:
    (state.root / "passwords.json").write_text(f'{{"{ADMIN}": "{state.secret(ADMIN)}"}}')
    environment = _environment(state, postgres)
    subprocess.run([programs / "airflow", "db", "migrate"], env=environment, check=True)
    processes = [subprocess.Popen([programs / "airflow", *component], env=environment) for component in COMPONENTS]
    try:
        yield poll(lambda: _connect(state), "the API server")
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait()


def _connect(state: State) -> Airflow | None:
    try:
        return Airflow(f"http://127.0.0.1:{state.port('api')}", ADMIN, state.secret(ADMIN), lambda: False)
    except StackError:
        return None


def _seed(airflow: Airflow) -> None:
    airflow.post(
        "/connections", {"connection_id": "cauldron", "conn_type": "http", "host": "witch", "password": RECIPE}
    )
    airflow.post("/variables", {"key": "recipe", "value": json.dumps({"word": RECIPE})})
    airflow.post("/pools", {"name": "cauldrons", "slots": 3, "description": "For the rehearsal of an upgrade."})
    poll(lambda: airflow.dag("plain_waiter"), "the DAGs")
    for dag_id in airflow.dag_ids():
        airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
    runs = [
        airflow.post(
            "/dags/plain_success/dagRuns",
            {"logical_date": "2024-06-05T12:00:00Z", "conf": {"herbs": 3}, "note": "seeded"},
        ),
        airflow.post("/dags/plain_failure/dagRuns", {"logical_date": None}),
    ]
    days = {"from_date": "2024-06-01T00:00:00Z", "to_date": "2024-06-02T00:00:00Z"}
    airflow.post("/backfills", {"dag_id": "plain_success", "dag_run_conf": {"herbs": 1}} | days)
    airflow.post("/dags/plain_waiter/dagRuns", {"logical_date": WAITING})
    for run in runs:
        path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
        poll(partial(_has_ended, airflow, path), path)
    for dag_id, number in (("plain_success", 4), ("plain_reader", 1)):
        poll(partial(_have_ended, airflow, dag_id, number), f"runs of {dag_id}")
    poll(lambda: {"deferred", "up_for_reschedule"} <= _states(airflow), "the waiting tasks")


def _has_ended(airflow: Airflow, path: str) -> bool:
    return airflow.get(path)["state"] in FINISHED


def _have_ended(airflow: Airflow, dag_id: str, number: int) -> bool:
    runs = airflow.get(f"/dags/{dag_id}/dagRuns")["dag_runs"]
    return sum(run["state"] in FINISHED for run in runs) >= number


def _states(airflow: Airflow) -> set[str]:
    instances = airflow.get("/dags/plain_waiter/dagRuns/~/taskInstances")["task_instances"]
    return {str(instance["state"]) for instance in instances}


if __name__ == "__main__":
    main()
