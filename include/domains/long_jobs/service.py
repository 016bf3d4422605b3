"""Client of the job service's HTTP API, synchronous (:class:`JobService`) and asynchronous (:class:`AsyncJobService`).

``POST /jobs`` with an ``Idempotency-Key`` returns the job; repeated with the same key, it returns the same job.
Other endpoints: ``GET /jobs/{id}``, ``GET /jobs/{id}/result``, ``GET /jobs?idempotency_key=…``, ``DELETE /jobs/{id}``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from include.core import exact_json
from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.http.client import Limits
from include.core.replay import Rows
from include.domains.long_jobs.job import Job, JobNotFoundError, parse_job, read_job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.core.http.client import HttpApi

NAME = "ETL jobs"
LIMITS = Limits(deadline=60)
POLL_LIMITS = Limits(deadline=20)
HINTS = {
    400: "correct the job's request",
    404: "check the connection's host; the service may also have lost its jobs",
    409: "the job isn't in the expected state, or its key was used for another request: clear the task",
    422: "correct the job's request",
}


@dataclass(frozen=True)
class JobService:
    """Client of the service at ``base``. Every method raises UpstreamError if there is no usable response."""

    api: HttpApi
    base: str

    def check(self) -> str:
        """Look up a job that doesn't exist; return the URL of the service."""
        self.find("test_connection")
        return self.base

    def start(self, request: Mapping[str, Any], key: str) -> Job:
        """Start a job and return it; if one was already started with ``key``, return that one."""
        url = f"{self.base}/jobs"
        return read_job(self.api.call("POST", url, body=request, headers={"Idempotency-Key": key}).text, url)

    def find(self, key: str) -> Job | None:
        """Return the job that was started with ``key``, if any."""
        url = f"{self.base}/jobs"
        jobs = json.loads(self.api.get(url, {"idempotency_key": key}).text)["data"]
        return parse_job(jobs[0], url) if jobs else None

    def job(self, job_id: str) -> Job:
        """Return the current state of the job.

        Raises:
            JobNotFoundError: if the service doesn't know it.
        """
        url = job_url(self.base, job_id)
        try:
            return read_job(self.api.get(url).text, url)
        except PermanentUpstreamError as error:
            raise _translated(error, job_id) from error

    def result(self, job_id: str) -> Rows:
        """Return the result rows of a job.

        Raises:
            JobNotFoundError: if the service doesn't know it.
            JobFailedError: if it failed.
            JobCancelledError: if it was cancelled.
            TransientUpstreamError: if it hasn't finished.
        """
        job = self.job(job_id)
        job.require_success()
        if not job.status.finished:
            raise TransientUpstreamError(f"job {job_id} is {job.status} ({job.progress:.0%}): it has no result yet")
        response = self.api.get(f"{job_url(self.base, job_id)}/result")
        return Rows(exact_json.loads(response.text)["data"], response.replayed_from)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job, unless it has finished, and return it.

        Raises:
            JobNotFoundError: if the service doesn't know it.
        """
        url = job_url(self.base, job_id)
        try:
            return read_job(self.api.call("DELETE", url).text, url)
        except PermanentUpstreamError as error:
            if error.status == HTTPStatus.CONFLICT:
                return self.job(job_id)
            raise _translated(error, job_id) from error


@dataclass(frozen=True)
class AsyncJobService:
    """Client for triggers of the service at ``base``; it makes one attempt for each call."""

    api: HttpApi
    base: str

    async def job(self, job_id: str) -> Job:
        """Return the current state of the job; raises what :meth:`JobService.job` does."""
        url = job_url(self.base, job_id)
        try:
            return read_job((await self.api.once("GET", url)).text, url)
        except PermanentUpstreamError as error:
            raise _translated(error, job_id) from error

    async def cancel(self, job_id: str) -> None:
        """Cancel a job, unless it has finished."""
        try:
            await self.api.once("DELETE", job_url(self.base, job_id))
        except PermanentUpstreamError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise _translated(error, job_id) from error


def job_url(base: str, job_id: str) -> str:
    """Return the URL of a job."""
    return f"{base}/jobs/{job_id}"


def _translated(error: PermanentUpstreamError, job_id: str) -> Exception:
    if error.status == HTTPStatus.NOT_FOUND:
        return JobNotFoundError(job_id, f"{error}. To start a new one, clear the task that started the job")
    return error
