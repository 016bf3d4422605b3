"""The job model, its errors, and the idempotency key that prevents duplicate jobs."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from include.core.errors import PermanentError, PermanentUpstreamError


class EtlJobError(PermanentError):
    """A job has no result and never will.

    Attributes:
        job_id: the job.
    """

    def __init__(self, job_id: str, message: str) -> None:
        super().__init__(message)
        self.job_id = job_id


class JobFailedError(EtlJobError):
    """The job failed; the message has the service's reason."""


class JobCancelledError(EtlJobError):
    """The job was cancelled."""


class JobTimeoutError(EtlJobError):
    """The job exceeded its timeout and was cancelled."""


class JobNotFoundError(EtlJobError):
    """The service doesn't know the job, or no longer does."""


class Status(StrEnum):
    """Status of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether the status is final."""
        return self not in {Status.QUEUED, Status.RUNNING}


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        id: id at the service.
        status: current status.
        progress: share of the work that is done, from 0 to 1.
        created_at: when the service accepted it, by the service's clock.
        error: the service's reason for a failure.
    """

    id: str
    status: Status
    progress: float
    created_at: dt.datetime
    error: str | None = None

    def require_success(self) -> None:
        """Raise if the job failed or was cancelled.

        Raises:
            JobFailedError: with the service's reason.
            JobCancelledError: if it was cancelled.
        """
        if self.status is Status.FAILED:
            raise JobFailedError(
                self.id, f"job {self.id} failed: {self.error}. Fix this, then clear the task that started it"
            )
        if self.status is Status.CANCELLED:
            raise JobCancelledError(
                self.id, f"job {self.id} was cancelled. Clear the task that started it to start a new one"
            )


def read_job(text: str, where: str) -> Job:
    """Parse the service's JSON: an object with ``id``, ``status``, ``progress``, ``created_at`` and ``error``.

    Raises:
        PermanentUpstreamError: naming ``where`` and the invalid field.
    """
    return parse_job(json.loads(text), where)


def parse_job(content: Any, where: str) -> Job:
    """Return the job in decoded JSON; raises what :func:`read_job` raises."""
    try:
        return Job(
            id=_text(content["id"]),
            status=Status(content["status"]),
            progress=float(content["progress"]),
            created_at=_moment(content["created_at"]),
            error=content.get("error"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PermanentUpstreamError(f"{where}: the response isn't a valid job: {error!r}") from error


def idempotency_key(dag_id: str, run_id: str, task_id: str, map_index: int, cleared: int) -> str:
    """Return a key that is the same for all tries of a task instance, and changes when it is cleared."""
    identity = json.dumps([dag_id, run_id, task_id, map_index, cleared])
    return hashlib.sha256(identity.encode()).hexdigest()


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"id is {value!r}, not a string")
    return value


def _moment(text: str) -> dt.datetime:
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset")
    return moment
