"""The finance queue has its worker to itself, deferred tasks hold none, and the log of either can be read meanwhile."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from datetime import datetime

import pytest

from devstack.api import Airflow
from tests.e2e.compose.stack import POLL_SECONDS, Compose, finish, planted, soon, trigger

AT_ONCE = 10  # seconds


@pytest.fixture(scope="module", autouse=True)
def _planted(compose: Compose) -> Iterator[None]:
    with planted(compose, "crowd", "urgent", "patient", "talker"):
        yield


def states(airflow: Airflow, dag_id: str, run_id: str) -> Counter[str]:
    """Count the run's task instances by state."""
    return Counter(str(task["state"]) for task in airflow.task_instances(dag_id, run_id))


def wait_for(airflow: Airflow, dag_id: str, run_id: str, state: str, at_least: int) -> None:
    """Wait until so many task instances are in a state."""
    deadline = time.monotonic() + 900
    while (counts := states(airflow, dag_id, run_id))[state] < at_least:
        assert time.monotonic() < deadline, counts
        time.sleep(POLL_SECONDS)


def busy(compose: Compose) -> int:
    """Return the number of tasks that Celery's workers hold."""
    script = (
        "from deploy.compose.secrets import read; import celery;"
        "app = celery.Celery(broker=read('redis-password', 'url'));"
        "print(sum(map(len, app.control.inspect(timeout=3).active().values())))"
    )
    return int(compose.inside("airflow-worker", "python", "-c", script).splitlines()[-1])


def delay(airflow: Airflow, dag_id: str, run_id: str) -> float:
    """Return the seconds from the run's creation to the start of its task."""
    (task,) = airflow.task_instances(dag_id, run_id)
    run = airflow.get(f"/dags/{dag_id}/dagRuns/{run_id}")
    return (datetime.fromisoformat(task["start_date"]) - datetime.fromisoformat(run["queued_at"])).total_seconds()


def test_finance_starts_at_once_on_its_own_worker_while_fifty_tasks_wait(compose: Compose, airflow: Airflow) -> None:
    finance = compose.inside("airflow-worker-finance", "hostname").strip()
    finish(airflow, "urgent", trigger(airflow, "urgent"))  # the worker has loaded its modules
    crowd = trigger(airflow, "crowd")
    wait_for(airflow, "crowd", crowd, "running", 3)
    run_id = trigger(airflow, "urgent")
    assert finish(airflow, "urgent", run_id) == "success"
    unfinished = states(airflow, "crowd", crowd)
    assert sum(unfinished.values()) - unfinished["success"] > 30, unfinished
    (task,) = airflow.task_instances("urgent", run_id)
    assert task["hostname"] == finance
    assert delay(airflow, "urgent", run_id) < AT_ONCE
    airflow.patch(f"/dags/crowd/dagRuns/{crowd}", {"state": "failed"})  # the rest isn't needed
    hosts = {task["hostname"] for task in airflow.task_instances("crowd", crowd)} - {"", None}
    assert hosts == {compose.inside("airflow-worker", "hostname").strip()}


def test_deferred_tasks_hold_no_worker(compose: Compose, airflow: Airflow) -> None:
    waiting = trigger(airflow, "patient")
    wait_for(airflow, "patient", waiting, "deferred", 20)
    soon(lambda: busy(compose) == 0, "no worker is busy")
    assert states(airflow, "patient", waiting)["deferred"] == 20
    (task, *_) = airflow.task_instances("patient", waiting)
    soon(lambda: any("trigger starting" in line for line in airflow.log(task)), "its trigger's log is shown")
    run_id = trigger(airflow, "my_first_spell")
    assert finish(airflow, "my_first_spell", run_id) == "success"
    airflow.patch(f"/dags/patient/dagRuns/{waiting}", {"state": "failed"})  # they aren't needed


def test_the_log_of_a_running_task_is_shown_without_a_log_server(airflow: Airflow) -> None:
    run_id = trigger(airflow, "talker")
    wait_for(airflow, "talker", run_id, "running", 1)
    (task,) = airflow.task_instances("talker", run_id)
    soon(lambda: any("heating up" in line for line in airflow.log(task)), "the log is shown")
    assert states(airflow, "talker", run_id) == {"running": 1}
    airflow.patch(f"/dags/talker/dagRuns/{run_id}", {"state": "failed"})
