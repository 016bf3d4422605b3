"""Hook, trigger and waiting task on the sample job service; what needs Airflow itself is in tests/integration/runs."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.types import TaskInstanceKey
from airflow.triggers.base import TriggerEvent

from devstack.upstreams.client import Control
from include.core.errors import (
    ConfigurationError,
    ForbiddenAddressError,
    PermanentUpstreamError,
    TransientUpstreamError,
)
from include.core.http.client import HttpApi, Limits
from include.core.http.egress import Egress
from include.domains.long_jobs.job import JobCancelledError, JobFailedError, JobNotFoundError, JobTimeoutError, Status
from include.domains.long_jobs.service import JobService
from spellbook.hooks.etl_job import EtlJobHook
from spellbook.operators.etl_job import AwaitEtlJobOperator, StartEtlJobOperator
from spellbook.triggers import etl_job as trigger_module
from spellbook.triggers.etl_job import EtlJobTrigger
from tests.integration.long_jobs.test_service import LONG, REQUEST, ended

TIMED_OUT = {"error": "Trigger timeout"}


def fire(trigger: EtlJobTrigger, seconds: float = 30) -> dict[str, Any]:
    """Run a trigger as the triggerer does, from its serialized form; return the payload of its event."""
    _, arguments = trigger.serialize()
    copy = EtlJobTrigger(**arguments)

    async def first() -> TriggerEvent:
        return await anext(copy.run())

    async def within() -> TriggerEvent:
        return await asyncio.wait_for(first(), seconds)

    payload: dict[str, Any] = asyncio.run(within()).payload
    return payload


def awaiting(job_id: str, timeout: timedelta = timedelta(hours=1)) -> AwaitEtlJobOperator:
    return AwaitEtlJobOperator(task_id="check_etl_status", job_id=job_id, timeout=timeout, poll_interval=1)


def test_the_connection_is_tested(conn_id: str, upstreams: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert EtlJobHook(conn_id).test_connection() == (True, f"{upstreams} responded")
    for host, text in (("", "connection 'etl_jobs_default': host: empty"), (f"{upstreams}/sales", "answered 404")):
        monkeypatch.setenv("AIRFLOW_CONN_ETL_JOBS_DEFAULT", json.dumps({"conn_type": "etl_jobs", "host": host}))
        good, message = EtlJobHook(conn_id).test_connection()
        assert not good
        assert text in message


def test_the_token_is_never_shown(upstreams: str, monkeypatch: pytest.MonkeyPatch) -> None:
    token = secrets.token_hex(8)
    connection = {"conn_type": "etl_jobs", "host": upstreams, "password": token}
    monkeypatch.setenv("AIRFLOW_CONN_ETL_JOBS_DEFAULT", json.dumps(connection))
    service = EtlJobHook().get_conn()
    assert service.api.token == token
    assert token not in repr(service)


def test_the_trigger_fires_when_the_job_has_ended(service: JobService, conn_id: str, key: str) -> None:
    job = service.start(REQUEST | {"seconds": 1.5}, key)
    assert fire(EtlJobTrigger(job.id, conn_id, 0.1)) == {"job_id": job.id}
    assert service.job(job.id).status is Status.SUCCEEDED


def test_an_outage_of_the_service_only_delays(service: JobService, conn_id: str, control: Control, key: str) -> None:
    job = service.start(REQUEST, key)
    path = f"/jobs/{job.id}"
    with (
        control.scenario("server_error", path=path, times=1) as first,
        control.scenario("connection_reset", path=path, times=1) as second,
        control.scenario("rate_limited", path=path, times=1, retry_after=1) as third,
    ):
        started_at = time.monotonic()
        assert fire(EtlJobTrigger(job.id, conn_id, 0.05)) == {"job_id": job.id}
        assert time.monotonic() - started_at > 1
        assert (first.played, second.played, third.played) == (1, 1, 1)


def test_a_trigger_that_can_never_succeed_fires_at_once(conn_id: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fire(EtlJobTrigger("nope", conn_id, 0.05)) == {"job_id": "nope"}
    with pytest.raises(JobNotFoundError):
        awaiting("nope").execute({})
    monkeypatch.setenv("AIRFLOW_CONN_ETL_JOBS_DEFAULT", json.dumps({"conn_type": "etl_jobs"}))
    assert fire(EtlJobTrigger("nope", conn_id, 0.05)) == {"job_id": "nope"}


@pytest.mark.parametrize(("abandoned", "status"), [(True, Status.CANCELLED), (False, Status.QUEUED)])
def test_only_an_abandoned_task_cancels_its_job(
    service: JobService,
    conn_id: str,
    control: Control,
    key: str,
    monkeypatch: pytest.MonkeyPatch,
    abandoned: bool,
    status: Status,
) -> None:
    monkeypatch.setattr(trigger_module, "is_abandoned", lambda *_: abandoned)
    job = service.start(LONG, key)
    trigger = EtlJobTrigger(job.id, conn_id, 1)
    trigger._task_instance = SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1)
    with control.scenario("server_error", path=f"/jobs/{job.id}", times=1):
        asyncio.run(trigger.on_kill())
    assert service.job(job.id).status is status


@pytest.mark.usefixtures("conn_id")
def test_the_task_defers_until_the_job_has_ended(service: JobService, key: str) -> None:
    job = service.start(REQUEST | {"seconds": 2}, key)
    task = awaiting(job.id)
    with pytest.raises(TaskDeferred) as deferred:
        task.execute({})
    assert deferred.value.timeout
    assert timedelta(minutes=59) < deferred.value.timeout <= timedelta(hours=1)
    event = fire(deferred.value.trigger)
    assert task.resume_execution(deferred.value.method_name, {"event": event}, {}) == job.id
    [link] = task.operator_extra_links
    assert link.get_link(task, ti_key=TaskInstanceKey("d", "t", "r")) == f"{service.base}/jobs/{job.id}"


@pytest.mark.usefixtures("conn_id")
def test_a_job_that_takes_too_long_is_cancelled(service: JobService, key: str) -> None:
    job = service.start(LONG, key)
    task = awaiting(job.id, timedelta(seconds=1))
    with pytest.raises(TaskDeferred):
        task.resume_execution("__fail__", TIMED_OUT, {})  # the clocks differ: the job's time isn't over yet
    time.sleep(max(0.0, 1.1 - (time.time() - job.created_at.timestamp())))
    with pytest.raises(JobTimeoutError, match=r"took longer than 0:00:01 and was cancelled at 0%"):
        task.resume_execution("__fail__", TIMED_OUT, {})
    assert service.job(job.id).status is Status.CANCELLED
    with pytest.raises(JobCancelledError):
        task.execute({})


@pytest.mark.usefixtures("conn_id")
def test_a_job_that_failed_fails_the_task(service: JobService, key: str) -> None:
    job = service.start(REQUEST | {"dates": ["2999-01-01"]}, key)
    ended(service, job.id)
    with pytest.raises(JobFailedError, match=r"sales has no rows from 2999-01-01 to 2999-01-01 yet; .* Fix this"):
        awaiting(job.id).execute({})


@pytest.mark.parametrize("request_", ["{", "[]", "5"])
def test_a_request_that_is_not_an_object_is_refused(request_: str) -> None:
    with pytest.raises(ConfigurationError, match=r"task start: request: .* isn't"):
        StartEtlJobOperator(task_id="start", request=request_).request_body()


@pytest.mark.parametrize("options", [{"timeout": timedelta()}, {"poll_interval": 0}])
def test_a_wait_without_bounds_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="the timeout must be positive"):
        AwaitEtlJobOperator(task_id="wait", job_id="1", **options)


def test_asynchronous_calls_reach_allowed_addresses_only(
    upstreams: str, control: Control, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = Limits(deadline=2, silence=0.5, size=1000)

    def call(url: str, *allowed: str) -> str:
        return asyncio.run(HttpApi("Sample", Egress.to(*allowed), None, limits).once("GET", url)).text

    assert json.loads(call(f"{upstreams}/health", upstreams))["status"] == "ok"
    with pytest.raises(ForbiddenAddressError, match="may not be called"):
        call("http://169.254.169.254/", upstreams)
    with pytest.raises(PermanentUpstreamError, match="larger than 1000 bytes"):
        call(f"{upstreams}/about", upstreams)
    with control.scenario("hang", path="/jobs"), pytest.raises(TransientUpstreamError, match=r"no data for 0\.5 s"):
        call(f"{upstreams}/jobs", upstreams)
    with control.scenario("redirect", path="/jobs"), pytest.raises(PermanentUpstreamError, match="answered 302"):
        call(f"{upstreams}/jobs", upstreams)
    monkeypatch.setenv("SPELLBOOK_PRIVATE_NETWORKS", "10.0.0.0/8")
    for url in (upstreams, upstreams.replace("127.0.0.1", "localhost")):
        with pytest.raises(ForbiddenAddressError, match="not a public address"):
            call(f"{url}/health", url)
