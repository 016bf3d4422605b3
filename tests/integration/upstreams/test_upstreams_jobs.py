from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import requests

from devstack.upstreams import replay
from include.core.replay import HEADER

DAY = {"job": "daily_revenue", "dates": ["2010-12-20"], "seconds": 0}


def start(upstreams: str, body: Any, key: str | None = None) -> requests.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return requests.post(f"{upstreams}/jobs", json=body, headers=headers, timeout=10)


def poll(upstreams: str, job_id: str) -> dict[str, Any]:
    response: dict[str, Any] = requests.get(f"{upstreams}/jobs/{job_id}", timeout=10).json()
    return response


def finished(upstreams: str, job_id: str) -> list[dict[str, Any]]:
    """Poll until the job has ended; return every response."""
    responses = [poll(upstreams, job_id)]
    deadline = time.monotonic() + 10
    while responses[-1]["status"] in {"queued", "running"}:
        assert time.monotonic() < deadline, responses[-1]
        time.sleep(0.01)
        responses.append(poll(upstreams, job_id))
    return responses


def test_a_job_goes_from_queued_to_its_result(upstreams: str) -> None:
    started = start(upstreams, {"job": "daily_revenue", "seconds": 0.6})
    assert started.status_code == 202
    job = started.json()
    assert started.headers["location"] == f"/jobs/{job['id']}"
    assert (job["status"], job["progress"]) == ("queued", 0.0)
    assert requests.get(f"{upstreams}/jobs/{job['id']}/result", timeout=10).status_code == 409
    responses = [job, *finished(upstreams, job["id"])]
    assert list(dict.fromkeys(response["status"] for response in responses)) == ["queued", "running", "succeeded"]
    progress = [response["progress"] for response in responses]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert any(0 < value < 1 for value in progress)
    result = requests.get(f"{upstreams}/jobs/{job['id']}/result", timeout=10).json()
    assert [day["date"] for day in result["data"]] == [
        "2010-12-01",
        "2010-12-19",
        "2010-12-20",
        "2010-12-21",
        "2010-12-22",
    ]


def test_the_result_is_computed_from_the_recorded_rows(upstreams: str) -> None:
    job_id = start(upstreams, DAY).json()["id"]
    finished(upstreams, job_id)
    page = {"date": "2010-12-20", "limit": "1000"}
    rows = [
        row
        for number in ("1", "2")
        for row in requests.get(f"{upstreams}/sales", params=page | {"page": number}, timeout=10).json()["data"]
    ]
    revenue = sum(row["Quantity"] * row["UnitPrice"] for row in rows)
    result = requests.get(f"{upstreams}/jobs/{job_id}/result", timeout=10).json()
    assert result["data"] == [{"date": "2010-12-20", "rows": 1763, "revenue_gbp": pytest.approx(revenue, abs=0.01)}]


def test_an_idempotency_key_starts_one_job_however_often_it_is_sent(upstreams: str) -> None:
    key = uuid4().hex
    before = len(requests.get(f"{upstreams}/jobs", timeout=10).json()["data"])
    with ThreadPoolExecutor(8) as pool:
        responses = list(pool.map(lambda _: start(upstreams, DAY, key), range(8)))
    assert sorted(response.status_code for response in responses) == [200] * 7 + [202]
    assert len({response.json()["id"] for response in responses}) == 1
    assert len(requests.get(f"{upstreams}/jobs", timeout=10).json()["data"]) == before + 1
    other = start(upstreams, DAY | {"dates": ["2010-12-21"]}, key)
    assert other.status_code == 409
    assert key in other.json()["error"]["message"]
    assert start(upstreams, DAY).json()["id"] != start(upstreams, DAY).json()["id"]


def test_a_future_day_fails_the_job_with_its_reason(upstreams: str) -> None:
    tomorrow = replay.today() + timedelta(days=1)
    job_id = start(upstreams, DAY | {"dates": ["2010-12-20", tomorrow.isoformat()]}).json()["id"]
    job = finished(upstreams, job_id)[-1]
    assert (job["status"], job["progress"]) == ("failed", 0.5)
    assert job["error"].startswith(f"sales has no rows from {tomorrow} to {tomorrow} yet")
    refused = requests.get(f"{upstreams}/jobs/{job_id}/result", timeout=10)
    assert refused.status_code == 409
    assert job["error"] in refused.json()["error"]["message"]
    assert requests.delete(f"{upstreams}/jobs/{job_id}", timeout=10).status_code == 409


def test_a_replayed_day_is_named_in_the_result(upstreams: str) -> None:
    yesterday = (replay.today() - timedelta(days=1)).isoformat()
    results = []
    for day in (yesterday, "2010-12-20"):
        job_id = start(upstreams, DAY | {"dates": [day]}).json()["id"]
        finished(upstreams, job_id)
        results.append(requests.get(f"{upstreams}/jobs/{job_id}/result", timeout=10))
    assert [result.json()["data"][0]["date"] for result in results] == [yesterday, "2010-12-20"]
    recorded = requests.get(f"{upstreams}/sales", params={"date": yesterday}, timeout=10).headers[HEADER]
    assert [result.headers.get(HEADER) for result in results] == [recorded, None]


def test_a_cancelled_job_stays_cancelled(upstreams: str) -> None:
    job_id = start(upstreams, DAY | {"seconds": 600}).json()["id"]
    for _ in range(2):
        cancelled = requests.delete(f"{upstreams}/jobs/{job_id}", timeout=10)
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert poll(upstreams, job_id)["status"] == "cancelled"
    assert requests.get(f"{upstreams}/jobs/{job_id}/result", timeout=10).status_code == 409


def test_jobs_are_listed_by_status(upstreams: str) -> None:
    job_id = start(upstreams, DAY).json()["id"]
    finished(upstreams, job_id)
    listed = requests.get(f"{upstreams}/jobs", params={"status": "succeeded"}, timeout=10).json()["data"]
    assert job_id in {job["id"] for job in listed}
    assert {job["status"] for job in listed} == {"succeeded"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job_is_404(upstreams: str, method: str) -> None:
    assert requests.request(method, f"{upstreams}/jobs/nope", timeout=10).status_code == 404
    assert requests.get(f"{upstreams}/jobs/nope/result", timeout=10).status_code == 404


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ([], "the body must be an object"),
        ({"job": "weekly"}, "job='weekly' is unknown; allowed: daily_revenue"),
        (DAY | {"seconds": -1}, "seconds=-1: allowed: 0 to 3600"),
        (DAY | {"seconds": True}, "seconds=True: allowed: 0 to 3600"),
        (DAY | {"dates": []}, "dates=[]: allowed: a list of one or more YYYY-MM-DD"),
        (DAY | {"dates": ["soon"]}, "soon"),
        (DAY | {"speed": 1}, "unknown field speed; allowed: job, dates, seconds"),
    ],
)
def test_a_bad_job_is_422_and_says_what_is_allowed(upstreams: str, body: Any, message: str) -> None:
    response = start(upstreams, body)
    assert response.status_code == 422
    assert message in response.json()["error"]["message"]


def test_invalid_json_is_422(upstreams: str) -> None:
    assert requests.post(f"{upstreams}/jobs", data=b"{", timeout=10).status_code == 422
