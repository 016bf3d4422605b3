"""A job as its service describes it, and the key under which it is started at most once."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from include.core.errors import PermanentUpstreamError
from include.domains.long_jobs.errors import JobCancelledError, JobFailedError


class Status(StrEnum):
    """How far a job is."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def finished(self) -> bool:
        """Whether it stays like this."""
        return self not in {Status.QUEUED, Status.RUNNING}


@dataclass(frozen=True)
class Job:
    """One job.

    Attributes:
        id: its name at the service.
        status: how far it is.
        progress: part of the work that is done, from 0 to 1.
        created_at: when it was accepted, by the service's clock.
        error: why it failed.
    """

    id: str
    status: Status
    progress: float
    created_at: dt.datetime
    error: str | None = None

    def require_success(self) -> None:
        """Return if the job succeeded, or hasn't ended.

        Raises:
            JobFailedError: with the service's reason.
            JobCancelledError: if it was cancelled.
        """
        if self.status is Status.FAILED:
            raise JobFailedError(
                self.id, f"job {self.id} failed: {self.error}. Fix that, then clear the task that started it"
            )
        if self.status is Status.CANCELLED:
            raise JobCancelledError(
                self.id, f"job {self.id} was cancelled. Clear the task that started it to start another"
            )


def read_job(text: str, where: str) -> Job:
    """Read the service's JSON: ``{"id", "status", "progress", "created_at", "error"}`` and more.

    Raises:
        PermanentUpstreamError: naming ``where`` and the field that isn't as agreed.
    """
    return parse_job(json.loads(text), where)


def parse_job(content: Any, where: str) -> Job:
    """Make a job of the service's JSON, already decoded; raises as :func:`read_job` does."""
    try:
        return Job(
            id=_text(content["id"]),
            status=Status(content["status"]),
            progress=float(content["progress"]),
            created_at=_moment(content["created_at"]),
            error=content.get("error"),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise PermanentUpstreamError(f"{where}: the answer isn't a job in the agreed form: {error!r}") from error


def idempotency_key(dag_id: str, run_id: str, task_id: str, map_index: int, cleared: int) -> str:
    """Return the same text for all tries of a task instance, and another one after each time it is cleared."""
    identity = json.dumps([dag_id, run_id, task_id, map_index, cleared])
    return hashlib.sha256(identity.encode()).hexdigest()


def _text(found: Any) -> str:
    if not isinstance(found, str):
        raise TypeError(f"id is {found!r}, not a text")
    return found


def _moment(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError(f"{text!r} has no offset from UTC")
    return found
