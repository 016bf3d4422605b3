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


def start(base_url: str, body: Any, key: str | None = None) -> requests.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return requests.post(f"{base_url}/jobs", json=body, headers=headers, timeout=10)


def poll(base_url: str, job_id: str) -> dict[str, Any]:
    answer: dict[str, Any] = requests.get(f"{base_url}/jobs/{job_id}", timeout=10).json()
    return answer


def finished(base_url: str, job_id: str) -> list[dict[str, Any]]:
    """Poll until the job has ended; returns every answer."""
    answers = [poll(base_url, job_id)]
    deadline = time.monotonic() + 10
    while answers[-1]["status"] in {"queued", "running"}:
        assert time.monotonic() < deadline, answers[-1]
        time.sleep(0.01)
        answers.append(poll(base_url, job_id))
    return answers


def test_a_job_goes_from_queued_to_its_result(base_url: str) -> None:
    started = start(base_url, {"job": "daily_revenue", "seconds": 0.6})
    assert started.status_code == 202
    job = started.json()
    assert started.headers["location"] == f"/jobs/{job['id']}"
    assert (job["status"], job["progress"]) == ("queued", 0.0)
    assert requests.get(f"{base_url}/jobs/{job['id']}/result", timeout=10).status_code == 409
    answers = [job, *finished(base_url, job["id"])]
    assert list(dict.fromkeys(each["status"] for each in answers)) == ["queued", "running", "succeeded"]
    progress = [each["progress"] for each in answers]
    assert progress == sorted(progress)
    assert progress[-1] == 1.0
    assert any(0 < each < 1 for each in progress)
    result = requests.get(f"{base_url}/jobs/{job['id']}/result", timeout=10).json()
    assert [day["date"] for day in result["data"]] == [
        "2010-12-01",
        "2010-12-19",
        "2010-12-20",
        "2010-12-21",
        "2010-12-22",
    ]


def test_the_result_is_computed_from_the_recorded_rows(base_url: str) -> None:
    job_id = start(base_url, DAY).json()["id"]
    finished(base_url, job_id)
    page = {"date": "2010-12-20", "limit": "1000"}
    rows = [
        row
        for number in ("1", "2")
        for row in requests.get(f"{base_url}/sales", params=page | {"page": number}, timeout=10).json()["data"]
    ]
    revenue = sum(row["Quantity"] * row["UnitPrice"] for row in rows)
    result = requests.get(f"{base_url}/jobs/{job_id}/result", timeout=10).json()
    assert result["data"] == [{"date": "2010-12-20", "rows": 1763, "revenue_gbp": pytest.approx(revenue, abs=0.01)}]


def test_an_idempotency_key_starts_one_job_however_often_it_is_sent(base_url: str) -> None:
    key = uuid4().hex
    before = len(requests.get(f"{base_url}/jobs", timeout=10).json()["data"])
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: start(base_url, DAY, key), range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [202]
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len(requests.get(f"{base_url}/jobs", timeout=10).json()["data"]) == before + 1
    other = start(base_url, DAY | {"dates": ["2010-12-21"]}, key)
    assert other.status_code == 409
    assert key in other.json()["error"]["message"]
    assert start(base_url, DAY).json()["id"] != start(base_url, DAY).json()["id"]


def test_a_day_that_is_not_there_yet_fails_the_job_with_its_reason(base_url: str) -> None:
    tomorrow = replay.today() + timedelta(days=1)
    job_id = start(base_url, DAY | {"dates": ["2010-12-20", tomorrow.isoformat()]}).json()["id"]
    job = finished(base_url, job_id)[-1]
    assert (job["status"], job["progress"]) == ("failed", 0.5)
    assert job["error"].startswith(f"sales has nothing from {tomorrow} to {tomorrow} yet")
    refused = requests.get(f"{base_url}/jobs/{job_id}/result", timeout=10)
    assert refused.status_code == 409
    assert job["error"] in refused.json()["error"]["message"]
    assert requests.delete(f"{base_url}/jobs/{job_id}", timeout=10).status_code == 409


def test_a_replayed_day_is_named_in_the_result(base_url: str) -> None:
    yesterday = (replay.today() - timedelta(days=1)).isoformat()
    results = []
    for day in (yesterday, "2010-12-20"):
        job_id = start(base_url, DAY | {"dates": [day]}).json()["id"]
        finished(base_url, job_id)
        results.append(requests.get(f"{base_url}/jobs/{job_id}/result", timeout=10))
    assert [result.json()["data"][0]["date"] for result in results] == [yesterday, "2010-12-20"]
    recorded = requests.get(f"{base_url}/sales", params={"date": yesterday}, timeout=10).headers[HEADER]
    assert [result.headers.get(HEADER) for result in results] == [recorded, None]


def test_a_job_is_cancelled_once_and_stays_so(base_url: str) -> None:
    job_id = start(base_url, DAY | {"seconds": 600}).json()["id"]
    for _ in range(2):
        cancelled = requests.delete(f"{base_url}/jobs/{job_id}", timeout=10)
        assert (cancelled.status_code, cancelled.json()["status"]) == (200, "cancelled")
    assert poll(base_url, job_id)["status"] == "cancelled"
    assert requests.get(f"{base_url}/jobs/{job_id}/result", timeout=10).status_code == 409


def test_jobs_are_listed_by_status(base_url: str) -> None:
    job_id = start(base_url, DAY).json()["id"]
    finished(base_url, job_id)
    listed = requests.get(f"{base_url}/jobs", params={"status": "succeeded"}, timeout=10).json()["data"]
    assert job_id in {job["id"] for job in listed}
    assert {job["status"] for job in listed} == {"succeeded"}


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_an_unknown_job_is_404(base_url: str, method: str) -> None:
    assert requests.request(method, f"{base_url}/jobs/nope", timeout=10).status_code == 404
    assert requests.get(f"{base_url}/jobs/nope/result", timeout=10).status_code == 404


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
def test_a_bad_job_is_422_and_says_what_is_allowed(base_url: str, body: Any, message: str) -> None:
    answer = start(base_url, body)
    assert answer.status_code == 422
    assert message in answer.json()["error"]["message"]


def test_no_json_is_422(base_url: str) -> None:
    assert requests.post(f"{base_url}/jobs", data=b"{", timeout=10).status_code == 422
