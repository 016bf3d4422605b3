"""The job service's client: a job is started once, and every way to end has its own error."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from devstack.upstreams.client import Control
from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.errors import SupersededError
from include.domains.long_jobs import revenue
from include.domains.long_jobs.job import (
    JobCancelledError,
    JobFailedError,
    JobNotFoundError,
    Status,
    idempotency_key,
    parse_job,
)
from include.domains.long_jobs.service import JobService

REQUEST = {"job": "daily_revenue", "dates": ["2010-12-20"], "seconds": 0}
LONG = REQUEST | {"seconds": 600}


def ended(service: JobService, job_id: str) -> Status:
    deadline = time.monotonic() + 30
    while not (job := service.job(job_id)).status.finished:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return job.status


def test_a_job_is_started_once_and_found_by_its_key(service: JobService, key: str) -> None:
    assert service.find(key) is None
    first, again = (service.start(REQUEST, key) for _ in range(2))
    job_found = service.find(key)
    assert job_found
    assert first.id == again.id == job_found.id
    assert service.start(REQUEST, f"{key}2").id != first.id


@pytest.mark.parametrize(
    ("fault", "options"),
    [
        ("answer_lost", {}),
        ("connection_reset", {}),
        ("server_error", {"status": 503}),
        ("cut_json", {}),
        ("rate_limited", {"retry_after": 1}),
    ],
)
def test_a_lost_response_starts_no_second_job(
    service: JobService, control: Control, key: str, fault: str, options: dict[str, Any]
) -> None:
    with control.scenario(fault, path="/jobs", times=1, **options) as rule:
        job = service.start(REQUEST, key)
        assert rule.played == 1
    assert [request["method"] for request in control.requests(path="/jobs")] == ["POST", "POST"]
    job_found = service.find(key)
    assert job_found
    assert job_found.id == job.id


def test_the_result_of_a_job(service: JobService, key: str) -> None:
    job = service.start(REQUEST, key)
    assert ended(service, job.id) is Status.SUCCEEDED
    rows, replayed_from = service.result(job.id)
    [row] = rows
    assert (row["date"], row["rows"], replayed_from) == ("2010-12-20", 1763, None)


def test_a_replayed_day_is_published_as_the_requested_day_and_labelled(
    service: JobService, key: str, warehouse: str
) -> None:
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    job = service.start(REQUEST | {"dates": [yesterday.isoformat()]}, key)
    assert ended(service, job.id) is Status.SUCCEEDED
    replayed_from = service.result(job.id).replayed_from
    assert replayed_from
    revenue.load(service, job.id, yesterday, warehouse, Attempt("long_running_etl", "process_etl_results", "run", 1))
    assert revenue.published(warehouse, yesterday).endswith(f" rows (replay of {replayed_from})")


def test_the_result_of_an_older_job_is_superseded(service: JobService, key: str, warehouse: str) -> None:
    older, newer = (service.start(REQUEST, f"{key}{number}") for number in (1, 2))
    for job in (older, newer):
        assert ended(service, job.id) is Status.SUCCEEDED
    attempt = Attempt("long_running_etl", "process_etl_results", "run", 1)
    revenue.load(service, newer.id, date(2010, 12, 20), warehouse, attempt)
    with pytest.raises(SupersededError):
        revenue.load(service, older.id, date(2010, 12, 20), warehouse, attempt)


def test_each_way_a_job_ends_has_its_own_error(service: JobService, key: str) -> None:
    running = service.start(LONG, key)
    with pytest.raises(TransientUpstreamError, match=r"is (queued|running) \(0%\): it has no result yet"):
        service.result(running.id)
    assert service.cancel(running.id).status is service.cancel(running.id).status is Status.CANCELLED
    with pytest.raises(JobCancelledError, match=r"was cancelled\. Clear the task that started it"):
        service.result(running.id)
    failed = service.start(REQUEST | {"dates": ["2999-01-01"]}, f"{key}2")
    assert ended(service, failed.id) is Status.FAILED
    with pytest.raises(JobFailedError, match="sales has no rows from 2999-01-01 to 2999-01-01 yet"):
        service.result(failed.id)
    assert service.cancel(failed.id).status is Status.FAILED
    for call in (service.job, service.cancel, service.result):
        with pytest.raises(JobNotFoundError, match=r"no job has the id nope.* clear the task"):
            call("nope")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"job": "nope"}, r"422 .*job='nope' is unknown; allowed: daily_revenue; correct the job's request"),
        (REQUEST | {"seconds": -1}, r"422 .*seconds=-1: allowed"),
    ],
)
def test_an_invalid_request_is_refused(
    service: JobService, key: str, request_: dict[str, object], message: str
) -> None:
    with pytest.raises(PermanentUpstreamError, match=message):
        service.start(request_, key)


def test_an_idempotency_key_belongs_to_one_request(service: JobService, key: str) -> None:
    service.start(REQUEST, key)
    with pytest.raises(PermanentUpstreamError, match=r"409 .*clear the task"):
        service.start(LONG, key)


@pytest.mark.parametrize(
    "change",
    [{"status": "lost"}, {"progress": None}, {"created_at": "2024-06-01T00:00:00"}, {"created_at": 5}, {"id": None}],
)
def test_a_response_that_is_not_a_job_is_refused(change: dict[str, object]) -> None:
    good = {"id": "1", "status": "running", "progress": 0.5, "created_at": "2024-06-01T00:00:00+00:00", "error": None}
    assert parse_job(good, "here").progress == 0.5
    with pytest.raises(PermanentUpstreamError, match="here: the response isn't a valid job"):
        parse_job(good | change, "here")
    with pytest.raises(PermanentUpstreamError, match="here"):
        parse_job([], "here")


def test_the_key_is_the_same_for_all_tries_of_a_task_only() -> None:
    key = idempotency_key("dag", "run", "task", -1, 0)
    assert key == idempotency_key("dag", "run", "task", -1, 0)
    others = {
        idempotency_key("dag2", "run", "task", -1, 0),
        idempotency_key("dag", "run2", "task", -1, 0),
        idempotency_key("dag", "run", "task2", -1, 0),
        idempotency_key("dag", "run", "task", 1, 0),
        idempotency_key("dag", "run", "task", -1, 4),
    }
    assert len(others - {key}) == 5
