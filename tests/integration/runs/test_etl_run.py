"""`long_running_etl` through Airflow: processes that die while a job runs, and who may cancel it."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from devstack.api import Airflow
from devstack.environment import local_url
from devstack.load import load
from devstack.process import Record
from devstack.stack import Stack
from devstack.upstreams.client import Control
from tests.integration.runs.conftest import SERVICES, until

DAG = "long_running_etl"
SECONDS = 12  # of a job that outlives its triggerer

Instance = dict[str, Any]


class Etl:
    """One run, and the jobs of the service since it began."""

    def __init__(self, stack: Stack, control: Control) -> None:
        self.stack, self.control, self.run_id = stack, control, ""
        self.airflow = Airflow.of(stack.state)
        load(self.airflow, DAG, stack)
        self.airflow.patch(f"/dags/{DAG}", {"is_paused": False})
        self.before = {job["id"] for job in self._all_jobs()}

    def trigger(self, **conf: object) -> None:
        """Start the run."""
        logical = datetime.now(UTC).isoformat()
        body = {"logical_date": logical, "conf": {"day": "2010-12-20"} | conf}
        self.run_id = self.airflow.post(f"/dags/{DAG}/dagRuns", body)["dag_run_id"]

    def _all_jobs(self) -> list[dict[str, Any]]:
        jobs: list[dict[str, Any]] = requests.get(
            f"{local_url(self.stack.state, 'upstreams')}/jobs", timeout=10
        ).json()["data"]
        return jobs

    def jobs(self) -> list[dict[str, Any]]:
        return [job for job in self._all_jobs() if job["id"] not in self.before]

    def task(self, task_id: str) -> Instance:
        return next(ti for ti in self.airflow.task_instances(DAG, self.run_id) if ti["task_id"] == task_id)

    def waits(self, number: int = 1) -> bool:
        """Return whether the triggerer polls the n-th job, without holding a worker."""
        jobs = self.jobs()
        if len(jobs) < number or self.task("check_etl_status")["state"] != "deferred":
            return False
        return len(self.control.requests(path=f"/jobs/{jobs[number - 1]['id']}")) > 1

    def ended(self) -> str | None:
        """Return the state of the finished run; that of a failed one with the logs of its failed tasks."""
        [run] = self.airflow.runs(DAG, [self.run_id])
        if run["state"] != "failed":
            return "success" if run["state"] == "success" else None
        failed = [task for task in self.airflow.task_instances(DAG, self.run_id) if task["state"] == "failed"]
        return "\n".join(["failed", *(line for task in failed for line in self.airflow.log(task))])


@pytest.fixture
def etl(stack: Stack, control: Control) -> Iterator[Etl]:
    yield Etl(stack, control)
    Airflow.of(stack.state).patch(f"/dags/{DAG}", {"is_paused": True})


def test_a_worker_that_dies_before_the_response_starts_no_second_job(etl: Etl, stack: Stack, control: Control) -> None:
    with control.scenario("answer_lost", path="/jobs", times=1) as lost:
        etl.trigger(seconds=1)
        until(stack, lambda: lost.played and etl.jobs(), "a job whose answer was lost")
        worker = etl.task("trigger_etl_job")
        assert worker["state"] == "running"
        os.kill(worker["pid"], signal.SIGKILL)
        assert until(stack, etl.ended, "the end of the run") == "success"
    assert etl.task("trigger_etl_job")["try_number"] == 2
    assert [job["status"] for job in etl.jobs()] == ["succeeded"]


@pytest.mark.parametrize(
    "signal_number",
    [
        pytest.param(signal.SIGTERM, id="shut down"),
        pytest.param(signal.SIGKILL, id="killed", marks=pytest.mark.weekly),
    ],
)
def test_a_triggerer_that_ends_does_not_cancel_the_job(etl: Etl, stack: Stack, signal_number: signal.Signals) -> None:
    etl.trigger(seconds=SECONDS)
    until(stack, etl.waits, "the trigger")
    triggerer = Record.read(stack.state.airflow_home / "triggerer.json")
    assert triggerer
    os.kill(triggerer.pid, signal_number)
    until(stack, lambda: not stack.is_running("airflow"), "the end of Airflow")  # all components end when one does
    assert [job["status"] == "cancelled" for job in etl.jobs()] == [False]
    stack.ensure(SERVICES)
    etl.airflow = Airflow.of(stack.state)
    assert until(stack, etl.ended, "the end of the run") == "success"
    assert [job["status"] for job in etl.jobs()] == ["succeeded"]


def test_clearing_starts_another_job_and_failing_cancels_it(etl: Etl, stack: Stack) -> None:
    etl.trigger(seconds=600)
    until(stack, etl.waits, "the trigger")
    link = etl.airflow.get(f"/dags/{DAG}/dagRuns/{etl.run_id}/taskInstances/trigger_etl_job/links")
    assert link["extra_links"]["Job"].endswith(f"/jobs/{etl.jobs()[0]['id']}")
    etl.airflow.post(
        f"/dags/{DAG}/clearTaskInstances",
        {"dry_run": False, "dag_run_id": etl.run_id, "task_ids": ["check_etl_status"], "only_failed": False},
    )
    until(stack, lambda: etl.task("check_etl_status")["try_number"] == 2 and etl.waits(), "the trigger")
    assert [job["status"] in {"queued", "running"} for job in etl.jobs()] == [True]  # the same job is awaited again
    etl.airflow.post(
        f"/dags/{DAG}/clearTaskInstances",
        {"dry_run": False, "dag_run_id": etl.run_id, "task_ids": ["trigger_etl_job"], "include_downstream": True,
         "only_failed": False},
    )  # fmt: skip
    until(stack, lambda: etl.waits(2), "another job")
    assert [job["status"] == "cancelled" for job in etl.jobs()] == [True, False]
    etl.airflow.patch(f"/dags/{DAG}/dagRuns/{etl.run_id}/taskInstances/check_etl_status", {"new_state": "failed"})
    until(stack, lambda: [job["status"] for job in etl.jobs()] == ["cancelled", "cancelled"], "the job's end")
    assert str(until(stack, etl.ended, "the end of the run")).startswith("failed")
