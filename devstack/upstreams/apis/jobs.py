"""The job service: start a job, poll it, fetch its result, cancel it.

``POST /jobs {"job": "daily_revenue", "dates": ["2010-12-20"], "seconds": 2}`` returns 202 with the job. A job is
``queued``, ``running``, ``succeeded``, ``failed`` or ``cancelled``; ``progress`` goes from 0 to 1. A repeated
``Idempotency-Key`` returns 200 with the first job if the body is the same, 409 if it differs: no job starts twice.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

from starlette.routing import Route

from devstack.upstreams import replay
from devstack.upstreams.answers import json_response, source_error
from devstack.upstreams.apis.sources import SALES

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

FINISHED = frozenset({"succeeded", "failed", "cancelled"})
QUEUED_SHARE = 0.1
"""Share of the requested duration that a job is queued."""
MAX_SECONDS = 3600.0


def daily_revenue(day: date) -> dict[str, object]:
    """Sum quantity times unit price (GBP) of one day, cancellations and repeated rows as recorded.

    Raises:
        LookupError: if the day is in the future.
    """
    rows = SALES.rows(day)
    revenue = sum(float(row["Quantity"] or 0) * float(row["UnitPrice"] or 0) for row in rows)
    return {"date": day.isoformat(), "rows": len(rows), "revenue_gbp": round(revenue, 2)}


JOBS: dict[str, Callable[[date], dict[str, object]]] = {"daily_revenue": daily_revenue}


class InvalidJobError(ValueError):
    """An invalid body of ``POST /jobs``."""


@dataclass
class Job:
    """One job and its progress; ``seconds`` is its duration."""

    job: str
    dates: tuple[date, ...]
    seconds: float
    id: str = field(default_factory=lambda: uuid4().hex)
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    status: str = "queued"
    progress: float = 0.0
    error: str | None = None
    result: list[dict[str, object]] = field(default_factory=list)

    def describe(self) -> dict[str, object]:
        """Return the job as a JSON object."""
        return {
            "id": self.id,
            "job": self.job,
            "dates": [day.isoformat() for day in self.dates],
            "seconds": self.seconds,
            "status": self.status,
            "progress": round(self.progress, 3),
            "created_at": self.created_at.isoformat(),
            "error": self.error,
        }

    async def run(self) -> None:
        """Wait in the queue, then compute day by day; a day that can't be computed fails the job."""
        await asyncio.sleep(self.seconds * QUEUED_SHARE)
        self.status = "running"
        compute = JOBS[self.job]
        for number, day in enumerate(self.dates, start=1):
            await asyncio.sleep(self.seconds * (1 - QUEUED_SHARE) / len(self.dates))
            try:
                self.result.append(await asyncio.to_thread(compute, day))
            except LookupError as error:
                self.status, self.error = "failed", str(error)
                return
            self.progress = number / len(self.dates)
        self.status = "succeeded"


class JobService:
    """The endpoints and every job since the server started."""

    def __init__(self) -> None:
        self._jobs: dict[str, Job] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._keys: dict[str, tuple[dict[str, object], Job]] = {}

    async def start(self, request: Request) -> Response:
        """``POST /jobs``."""
        try:
            body = json.loads(await request.body())
            job = _job(body)
        except ValueError as error:
            return json_response(source_error(str(error), 422), 422)
        key = request.headers.get("idempotency-key")
        if key in self._keys:
            first_body, first = self._keys[key]
            if first_body != body:
                return json_response(
                    source_error(f"Idempotency-Key {key} was used for another job: {first.id}", 409), 409
                )
            return json_response(first.describe())
        if key is not None:
            self._keys[key] = body, job
        self._jobs[job.id] = job
        self._tasks[job.id] = asyncio.create_task(job.run())
        return json_response(job.describe(), 202, {"location": f"/jobs/{job.id}"})

    async def list(self, request: Request) -> Response:
        """``GET /jobs``: every job, oldest first; filters: ``?status=running`` and ``?idempotency_key=…``."""
        status, key = request.query_params.get("status"), request.query_params.get("idempotency_key")
        jobs = list(self._jobs.values())
        if key is not None:
            jobs = [self._keys[key][1]] if key in self._keys else []
        return json_response({"data": [job.describe() for job in jobs if status in {None, job.status}]})

    async def poll(self, request: Request) -> Response:
        """``GET /jobs/{id}``."""
        job = self._find(request)
        return json_response(job.describe()) if job else _not_found(request)

    async def result(self, request: Request) -> Response:
        """``GET /jobs/{id}/result``: 409 unless the job succeeded."""
        job = self._find(request)
        if job is None:
            return _not_found(request)
        if job.status != "succeeded":
            reason = f": {job.error}" if job.error else ""
            return json_response(source_error(f"job {job.id} has no result, it is {job.status}{reason}", 409), 409)
        days = ((day, recorded) for day in job.dates if (recorded := SALES.recorded_day(day)))
        return json_response({"id": job.id, "job": job.job, "data": job.result}, headers=replay.replay_header(days))

    async def cancel(self, request: Request) -> Response:
        """``DELETE /jobs/{id}``: 409 if the job has already finished; cancelling twice is allowed."""
        job = self._find(request)
        if job is None:
            return _not_found(request)
        if job.status in FINISHED - {"cancelled"}:
            return json_response(source_error(f"job {job.id} can't be cancelled, it is {job.status}", 409), 409)
        self._tasks[job.id].cancel()
        job.status = "cancelled"
        return json_response(job.describe())

    def _find(self, request: Request) -> Job | None:
        return self._jobs.get(request.path_params["id"])


def _job(body: object) -> Job:
    if not isinstance(body, dict):
        raise InvalidJobError('the body must be an object such as {"job": "daily_revenue"}')
    unknown = sorted(set(body) - {"job", "dates", "seconds"})
    if unknown:
        raise InvalidJobError(f"unknown field {', '.join(unknown)}; allowed: job, dates, seconds")
    name, seconds = body.get("job"), body.get("seconds", 1.0)
    dates = body.get("dates", [day.isoformat() for day in SALES.load()])
    if name not in JOBS:
        raise InvalidJobError(f"job={name!r} is unknown; allowed: {', '.join(JOBS)}")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds <= MAX_SECONDS:
        raise InvalidJobError(f"seconds={seconds!r}: allowed: 0 to {MAX_SECONDS:.0f}")
    if not isinstance(dates, list) or not dates or not all(isinstance(day, str) for day in dates):
        raise InvalidJobError(f"dates={dates!r}: allowed: a list of one or more YYYY-MM-DD")
    return Job(name, tuple(date.fromisoformat(day) for day in dates), float(seconds))


def _not_found(request: Request) -> Response:
    return json_response(source_error(f"no job has the id {request.path_params['id']}", 404), 404)


def routes(_s3: str | None) -> list[Route]:
    """Return the routes of a new job service."""
    jobs = JobService()
    return [
        Route("/jobs", jobs.start, methods=["POST"]),
        Route("/jobs", jobs.list),
        Route("/jobs/{id}", jobs.poll),
        Route("/jobs/{id}", jobs.cancel, methods=["DELETE"]),
        Route("/jobs/{id}/result", jobs.result),
    ]
