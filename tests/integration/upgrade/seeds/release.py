"""Create ``e5f6973.tar.xz``: the embedded stack of the first release after each kind of run of each of its DAGs.

Usage: ``python -m tests.integration.upgrade.seeds.release OLD``, a clone at that commit with its virtual environments.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from devstack.api import Airflow
from devstack.postgres import Postgres
from devstack.process import Record, stop
from devstack.state import STATE_VARIABLE, State
from tests.integration.upgrade.archive import BEFORE, RECIPE, RELEASE, keep_fixed_secrets, write
from tests.integration.upgrade.seeds.polling import poll
from tests.integration.upgrade.snapshot import take

DATABASES = ("airflow", "mlflow", "warehouse")
STORED = ("cache", "customer_report", "monitoring", "retail", "sources", "weather")
FOLDERS = ("airflow/logs", "mlflow/1", *(f"storage/{name}" for name in STORED))
QUICK = {
    "SPELLBOOK_UPSTREAM": "replay",
    "SPELLBOOK_TITANIC_REPEATS": "1",
    "SPELLBOOK_WINE_CANDIDATES": "article_recipe",
}
TABLE = "import json, tests.integration.runs.table as t; print(json.dumps([t.RUNS, t.ELSEWHERE], default=str))"
LONG = {"minute": 60, "delay": 1}


def main() -> None:
    """Run everything, leave some runs unfinished, end Airflow as a crash would, and write the archive."""
    old = Path(sys.argv[1]).absolute()
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        state = State.open(Path(name) / "state")
        keep_fixed_secrets(state)
        try:
            run_all(old, state)
            leave_unfinished(old, state)
            save(state)
        finally:
            devstack(old, state, "clean")


def run_all(old: Path, state: State) -> None:
    """Run every DAG in each way that the table of its tests has, and as an asset's event starts it."""
    table = subprocess.run([old / ".venv/bin/python", "-c", TABLE], cwd=old, check=True, capture_output=True).stdout
    runs, elsewhere = json.loads(table)
    for dag_id, lines in runs.items():
        for kind, first, last, *conf in lines:
            days = [*(["--date", first] if first else []), *(["--to", last] if last else [])]
            devstack(old, state, "run", dag_id, "--as", kind, *days, "--conf", json.dumps(conf[0] if conf else {}))
    for dag_id in elsewhere:
        devstack(old, state, "run", dag_id, "--as", "asset")


def leave_unfinished(old: Path, state: State) -> None:
    """Add settings, a failed run whose alerts were sent and one whose weren't, and runs in every unfinished state."""
    devstack(
        old, state, "run", "retail_arrival", "--date", "2010-12-21", SPELLBOOK_RETAIL_PATIENCE="3e9"
    )  # starts what the DAG needs
    airflow = Airflow.of(state)
    airflow.post(
        "/connections", {"connection_id": "rehearsal", "conn_type": "http", "host": "witch", "password": RECIPE}
    )
    airflow.post("/variables", {"key": "rehearsal", "value": RECIPE})
    fail = {"fail_times": 9, "minute": 0.02}
    trigger(airflow, "fragile_task", "2024-06-01", "failed", fail)
    trigger(airflow, "retail_arrival", "2012-01-01", "deferred")
    job = {"day": "2010-12-16", "seconds": 3600}
    trigger(airflow, "long_running_etl", "2010-12-16", "deferred", job)
    trigger(airflow, "etl_status_checker", "2010-12-16", "up_for_reschedule")
    trigger(airflow, "alerts_drain", "2024-06-01", "success")
    poll(lambda: not unsent(state), "the alerts")
    stop_service(state, "sinks")
    trigger(airflow, "fragile_task", "2024-06-02", "failed", fail)
    poll(lambda: unsent(state), "the alerts of the second failure")
    trigger(airflow, "fragile_task", "2024-06-03", "up_for_retry", LONG | {"fail_times": 1})
    trigger(airflow, "my_first_spell", "2024-06-05", None, paused=True)
    (state.root / BEFORE).write_text(json.dumps(take(airflow, single=False)))
    trigger(airflow, "large_data_handoff", "2024-06-03", "running", {"rows": 2_000_000})
    record = Record.read(state.services / "airflow.json")
    assert record
    os.killpg(record.pid, signal.SIGKILL)


def save(state: State) -> None:
    """Write the archive."""
    write(RELEASE, state, Postgres.of(state), DATABASES, FOLDERS)


def devstack(old: Path, state: State, *arguments: str, **environment: str) -> None:
    """Call the old command line on the state folder."""
    environment = os.environ | QUICK | {STATE_VARIABLE: str(state.root)} | environment
    command = [str(old / ".venv/bin/python"), "-m", "devstack", *arguments]
    subprocess.run(command, cwd=old, check=True, env=environment)


def trigger(
    airflow: Airflow,
    dag_id: str,
    day: str,
    wanted: str | None,
    conf: dict[str, Any] | None = None,
    *,
    paused: bool = False,
) -> None:
    """Start a run, and wait until one of its tasks is in the wanted state."""
    airflow.patch(f"/dags/{dag_id}", {"is_paused": paused})
    times = {"logical_date": "12:00:00", "data_interval_start": "00:00:00", "data_interval_end": "23:59:59"}
    body: dict[str, Any] = {name: f"{day}T{clock}Z" for name, clock in times.items()}
    run_id = airflow.post(f"/dags/{dag_id}/dagRuns", body | {"conf": conf or {}})["dag_run_id"]

    def reached() -> bool:
        return wanted in {task["state"] for task in airflow.task_instances(dag_id, run_id)}

    poll(reached, f"{dag_id} {wanted}")


def unsent(state: State) -> bool:
    """Return whether an alert waits in the outbox."""
    with Postgres.of(state).connect("warehouse") as session:
        return session.execute("SELECT FROM alert_outbox WHERE sent_at IS NULL").fetchone() is not None


def stop_service(state: State, name: str) -> None:
    """Stop one of the stack's services."""
    record = Record.read(state.services / f"{name}.json")
    if record and (process := record.process()):
        stop(process)


if __name__ == "__main__":
    main()
