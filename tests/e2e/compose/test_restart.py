"""Tasks survive a deploy, data survives a deploy and a crash, and ``down --volumes`` removes everything."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from devstack.api import Airflow
from tests.e2e.compose.stack import OVERRIDE, POLL_SECONDS, Compose, finish, planted, soon, trigger
from tests.e2e.compose.test_dags import day

RUNS = "SELECT dag_id, run_id, state FROM dag_run WHERE state IN ('success', 'failed')"
ROWS = "SELECT date, city, temperature FROM weather_data"
LOGS = "logs/"  # what tasks keep elsewhere in the bucket, they may remove

BEHIND_PGBOUNCER = {"COMPOSE_PROFILES": "demo,ml,scale", "SPELLBOOK_METADATA_HOST": "pgbouncer"}
UI_AWAY = 60  # seconds


def longest_outage(url: str, ended: Callable[[], bool]) -> float:
    """Return the longest time in seconds for which a URL doesn't respond, until ``ended`` returns true."""
    longest, responded_at = 0.0, time.monotonic()
    while not ended():
        try:
            requests.get(url, timeout=5).raise_for_status()
        except requests.RequestException:
            pass
        else:
            longest, responded_at = max(longest, time.monotonic() - responded_at), time.monotonic()
        time.sleep(POLL_SECONDS)
    return max(longest, time.monotonic() - responded_at)


def test_a_deploy_waits_for_running_tasks_and_keeps_logins_runs_data_and_logs(
    compose: Compose, airflow: Airflow
) -> None:
    """The new version has another image, and its Airflow connects to the metadata database through PgBouncer."""
    loaded = trigger(airflow, "weather_data_pipeline", **day("2024-06-03", "2024-06-04"))
    finish(airflow, "weather_data_pipeline", loaded)
    with planted(compose, "brew"):
        brewing = trigger(airflow, "brew")
        soon(lambda: airflow.task_instances("brew", brewing)[0]["state"] == "running", "the task runs")
        runs, rows = compose.query("postgres", "airflow", RUNS), compose.query("warehouse", "warehouse", ROWS)
        task, *_ = airflow.task_instances("weather_data_pipeline", loaded)
        log, objects = airflow.log(task), compose.objects(LOGS)
        assert runs
        assert rows
        assert log
        compose.settings |= BEHIND_PGBOUNCER
        with (compose.folder / "include" / "__init__.py").open("a") as module:
            module.write("\n# next version\n")
        with ThreadPoolExecutor() as pool:
            deploy = pool.submit(compose.deploy)
            soon(
                lambda: deploy.done() or "Warm shutdown" in compose.run("logs", "airflow-worker").stdout,
                "the worker is told to stop",
            )
            assert not deploy.done()
            assert airflow.task_instances("brew", brewing)[0]["state"] == "running"
            compose.inside("airflow-apiserver", "touch", "/opt/airflow/storage/brewed")
            assert longest_outage(f"{compose.url}/api/v2/version", deploy.done) < UI_AWAY
            deploy.result()
        assert finish(airflow, "brew", brewing) == "success"
    (brewed,) = airflow.task_instances("brew", brewing)
    assert brewed["try_number"] == 1
    assert compose.query("warehouse", "warehouse", "SELECT count(*) FROM brews") == [("1",)]
    assert set(compose.query("postgres", "airflow", RUNS)) >= set(runs)
    assert set(compose.query("warehouse", "warehouse", ROWS)) >= set(rows)
    assert airflow.log(task) == log
    assert set(compose.objects(LOGS)) >= set(objects)
    airflow_after = compose.airflow()
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
    soon(
        lambda: any(task["state"] == "running" for task in airflow.task_instances("weather_data_pipeline", run_id)),
        "a task runs",
    )
    objects = compose.objects(LOGS)
    compose.run("kill", "--signal", "KILL")
    (compose.folder / OVERRIDE).write_text(IMPATIENT)
    compose.up()
    airflow_after = compose.airflow()
    assert set(compose.objects(LOGS)) >= set(objects)
    assert finish(airflow_after, "weather_data_pipeline", run_id) == "success"
    assert compose.query(
        "warehouse",
        "warehouse",
        "SELECT city, count(*) FROM weather_data WHERE date = '2024-06-04' GROUP BY 1 ORDER BY 1",
    ) == [("London", "1"), ("New York", "1"), ("Tokyo", "1")]


@pytest.mark.weekly
def test_a_volume_of_another_owner_is_named_and_the_printed_command_repairs_it(
    compose: Compose, airflow: Airflow
) -> None:
    init = ("run", "--rm", "--no-TTY", "airflow-init")
    chown = ("--no-deps", "--user", "0", "--cap-add", "CHOWN", "--entrypoint", "chown", "airflow-init")
    compose.run("run", "--rm", "--no-TTY", *chown, "-R", "12345:12345", "/opt/airflow/logs")
    refused = compose.run(*init, check=False)
    assert refused.returncode
    problem = "/opt/airflow/logs can't be written by uid 50000, gid 0 (Permission denied); it belongs to uid 12345"
    assert problem in refused.stdout + refused.stderr
    command = re.search(r"docker compose (run .*--entrypoint chown .*)", refused.stdout + refused.stderr)
    assert command
    compose.run(*shlex.split(command[1]))
    compose.run(*init)
    assert finish(airflow, "my_first_spell", trigger(airflow, "my_first_spell")) == "success"


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
