"""How a job can end without a result; each message says what to do."""

from __future__ import annotations

from include.core.errors import PermanentError


class EtlJobError(PermanentError):
    """A job has no result; the same job won't get one.

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
    """The job took longer than it may, and was cancelled."""


class JobNotFoundError(EtlJobError):
    """The service doesn't know the job (any more)."""
