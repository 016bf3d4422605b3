"""Data survives a restart and a crash, and ``down --volumes`` removes everything."""

from __future__ import annotations

import json
import subprocess
import time

import pytest

from devstack.api import Airflow
from tests.e2e.compose.stack import OVERRIDE, POLL_SECONDS, Compose, finish, trigger
from tests.e2e.compose.test_dags import day

RUNS = "SELECT dag_id, run_id, state FROM dag_run WHERE dag_id <> 'alerts_drain' ORDER BY 1, 2"  # it runs each minute
ROWS = "SELECT date, city, temperature FROM weather_data ORDER BY 1, 2"


BEHIND_PGBOUNCER = {"COMPOSE_PROFILES": "demo,ml,scale", "SPELLBOOK_METADATA_HOST": "pgbouncer"}


def test_down_and_up_behind_pgbouncer_keeps_logins_runs_and_data(compose: Compose, airflow: Airflow) -> None:
    finish(
        airflow, "weather_data_pipeline", trigger(airflow, "weather_data_pipeline", **day("2024-06-03", "2024-06-04"))
    )
    runs, rows = compose.query("postgres", "airflow", RUNS), compose.query("warehouse", "warehouse", ROWS)
    assert runs
    assert rows
    compose.run("--profile", "*", "down", "--timeout", "10")
    compose.settings |= BEHIND_PGBOUNCER
    compose.up()
    assert compose.query("postgres", "airflow", RUNS) == runs
    assert compose.query("warehouse", "warehouse", ROWS) == rows
    airflow_after = compose.airflow()
    assert airflow_after.get(f"/dags/{runs[0][0]}/dagRuns/{runs[0][1]}")["state"] == runs[0][2]
    assert finish(airflow_after, "my_first_spell", trigger(airflow_after, "my_first_spell")) == "success"
    pooled = compose.inspect()["pgbouncer"]["NetworkSettings"]["Networks"]
    clients = "SELECT DISTINCT host(client_addr) FROM pg_stat_activity WHERE usename = 'airflow'"
    assert compose.query("postgres", "airflow", clients) == [(next(iter(pooled.values()))["IPAddress"],)]


IMPATIENT = """
services:
  airflow-scheduler:
    environment:
      AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT: "60"
      AIRFLOW__SCHEDULER__TASK_QUEUED_TIMEOUT_CHECK_INTERVAL: "5"
      AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT: "30"
"""


@pytest.mark.weekly
def test_after_a_crash_of_the_host_unfinished_runs_succeed(compose: Compose, airflow: Airflow) -> None:
    """The broker's message of a task that a worker had received and not started is sent again: here after one minute.

    A task that was running is retried when it has sent no heartbeat for half a minute.
    """
    date = day("2024-06-04", "2024-06-05")
    run_id = trigger(airflow, "weather_data_pipeline", **date)
    while not any(task["state"] == "running" for task in airflow.task_instances("weather_data_pipeline", run_id)):
        time.sleep(POLL_SECONDS)
    compose.run("kill", "--signal", "KILL")
    (compose.folder / OVERRIDE).write_text(IMPATIENT)
    compose.up()
    airflow_after = compose.airflow()
    assert finish(airflow_after, "weather_data_pipeline", run_id) == "success"
    assert compose.query(
        "warehouse",
        "warehouse",
        "SELECT city, count(*) FROM weather_data WHERE date = '2024-06-04' GROUP BY 1 ORDER BY 1",
    ) == [("London", "1"), ("New York", "1"), ("Tokyo", "1")]


def test_down_with_volumes_removes_everything(compose: Compose) -> None:
    compose.run("--profile", "*", "down", "--volumes", "--timeout", "5")
    for kind in ("container", "volume", "network"):
        output = subprocess.run(
            [
                "docker",
                kind,
                "ls",
                "--filter",
                f"label=com.docker.compose.project={compose.project}",
                "--format",
                "json",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        assert [json.loads(line) for line in output.splitlines()] == [], kind
