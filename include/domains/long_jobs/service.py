"""The job service's HTTP interface, for tasks (:class:`JobService`) and for coroutines (:class:`AsyncJobService`).

``POST /jobs`` with an ``Idempotency-Key`` answers with the job, and with the same one however often it is repeated;
``GET /jobs/{id}``, ``GET /jobs/{id}/result``, ``GET /jobs?idempotency_key=…``, ``DELETE /jobs/{id}``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.replay import Rows
from include.domains.long_jobs.errors import JobNotFoundError
from include.domains.long_jobs.job import Job, parse_job, read_job

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.core.http.async_client import AsyncHttpApi
    from include.core.http.client import HttpApi

HINTS = {
    400: "correct the job's request",
    404: "check the connection's host; a service that lost its jobs answers so too",
    409: "the job is in another state than was expected, or its key was used for another request: clear the task",
    422: "correct the job's request",
}


@dataclass(frozen=True)
class JobService:
    """The service at ``base``. Every method raises UpstreamError if there is no usable answer."""

    api: HttpApi
    base: str

    def start(self, request: Mapping[str, Any], key: str) -> Job:
        """Start a job, unless one was started with ``key`` before; return the one."""
        url = f"{self.base}/jobs"
        return read_job(self.api.call("POST", url, body=request, headers={"Idempotency-Key": key}).text, url)

    def find(self, key: str) -> Job | None:
        """Return the job that was started with ``key``."""
        url = f"{self.base}/jobs"
        found = json.loads(self.api.get(url, {"idempotency_key": key}).text)["data"]
        return parse_job(found[0], url) if found else None

    def job(self, job_id: str) -> Job:
        """Return the job as it is now.

        Raises:
            JobNotFoundError: if the service doesn't know it.
        """
        url = job_url(self.base, job_id)
        try:
            return read_job(self.api.get(url, {}).text, url)
        except PermanentUpstreamError as error:
            raise _known(error, job_id) from error

    def result(self, job_id: str) -> Rows:
        """Return the rows that a job made.

        Raises:
            JobNotFoundError: if the service doesn't know it.
            JobFailedError: if it failed.
            JobCancelledError: if it was cancelled.
            TransientUpstreamError: if it hasn't ended.
        """
        job = self.job(job_id)
        job.require_success()
        if not job.status.finished:
            raise TransientUpstreamError(f"job {job_id} is {job.status} ({job.progress:.0%}): it has no result yet")
        answer = self.api.get(f"{job_url(self.base, job_id)}/result", {})
        return Rows(json.loads(answer.text)["data"], answer.replayed_from)

    def cancel(self, job_id: str) -> Job:
        """Cancel a job; one that has ended stays as it is. Return it.

        Raises:
            JobNotFoundError: if the service doesn't know it.
        """
        url = job_url(self.base, job_id)
        try:
            return read_job(self.api.call("DELETE", url).text, url)
        except PermanentUpstreamError as error:
            if error.status == HTTPStatus.CONFLICT:
                return self.job(job_id)
            raise _known(error, job_id) from error


@dataclass(frozen=True)
class AsyncJobService:
    """What a trigger needs of the service at ``base``; one try a call."""

    api: AsyncHttpApi
    base: str

    async def job(self, job_id: str) -> Job:
        """Return the job as it is now; raises as :meth:`JobService.job` does."""
        url = job_url(self.base, job_id)
        try:
            return read_job(await self.api.call("GET", url), url)
        except PermanentUpstreamError as error:
            raise _known(error, job_id) from error

    async def cancel(self, job_id: str) -> None:
        """Cancel a job; one that has ended stays as it is."""
        try:
            await self.api.call("DELETE", job_url(self.base, job_id))
        except PermanentUpstreamError as error:
            if error.status != HTTPStatus.CONFLICT:
                raise _known(error, job_id) from error


def job_url(base: str, job_id: str) -> str:
    """Return where a job is described."""
    return f"{base}/jobs/{job_id}"


def _known(error: PermanentUpstreamError, job_id: str) -> Exception:
    if error.status == HTTPStatus.NOT_FOUND:
        return JobNotFoundError(job_id, f"{error}. To start another, clear the task that started the job")
    return error
