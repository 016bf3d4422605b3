"""Operators that start a job in the job service, and wait for it without a worker."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.bases.operatorlink import BaseOperatorLink
from airflow.sdk.exceptions import TaskDeferralTimeout, TaskDeferred
from typing_extensions import override

from include.core.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context
    from airflow.sdk.types import TaskInstanceKey

    from include.domains.long_jobs.service import JobService

KEY = "idempotency_key"


class EtlJobLink(BaseOperatorLink):
    """Link to the job in the service; Airflow stores it with the task instance."""

    name = "Job"

    @override
    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Return the job's URL, or an empty string if the job isn't known yet."""
        return str(operator.job_url)


class EtlJobOperator(BaseOperator):
    """Base class of both operators.

    Args:
        etl_job_conn_id: connection of type ``etl_jobs``.
    """

    operator_extra_links = (EtlJobLink(),)
    ui_color = "#e3dff2"

    def __init__(self, *, etl_job_conn_id: str = "etl_jobs_default", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.etl_job_conn_id = etl_job_conn_id
        self.job_url = ""

    def service(self) -> JobService:
        """Return the client of the service."""
        from spellbook.hooks.etl_job import EtlJobHook

        return EtlJobHook(self.etl_job_conn_id).get_conn()

    def set_job_url(self, service: JobService, job_id: str) -> None:
        """Set the URL for the task's link to the job."""
        from include.domains.long_jobs.service import job_url

        self.job_url = job_url(service.base, job_id)

    def is_abandoned(self, context: Context) -> bool:
        """Return whether the task was ended by a user, rather than by a worker's shutdown."""
        from spellbook.triggers.etl_job import is_abandoned

        task = context["ti"]
        return is_abandoned(task.dag_id, task.run_id, task.task_id, task.map_index)


class StartEtlJobOperator(EtlJobOperator):
    """Starts a job and returns its id; retries don't start another job.

    All tries send the same idempotency key, so that after a worker died or a response was lost, the next try gets the
    existing job. Clearing the task cancels the previous job and starts a new one.

    Args:
        request: body of ``POST /jobs``, as a dictionary or as JSON; templated.
    """

    template_fields: Sequence[str] = ("request", "etl_job_conn_id")
    template_fields_renderers: ClassVar[dict[str, str]] = {"request": "json"}

    def __init__(self, *, request: Mapping[str, Any] | str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request = request
        self.started: tuple[Context, str] | None = None

    @override
    def execute(self, context: Context) -> str:
        """Start the job.

        Raises:
            ConfigurationError: ``request`` or the connection is invalid.
            UpstreamError: the service rejects the request, or there is no usable response.
        """
        from include.domains.long_jobs.job import idempotency_key

        request = self.request_body()
        task = context["ti"]
        cleared = max(task.max_tries - (self.retries or 0), 0)  # clearing increases max_tries, a retry doesn't
        index = -1 if task.map_index is None else task.map_index
        key = idempotency_key(task.dag_id, task.run_id, task.task_id, index, cleared)
        service = self.service()
        self._cancel_previous(service, context, key)
        context["task_state_store"].set(KEY, key)
        self.started = (context, key)
        job = service.start(request, key)
        self.set_job_url(service, job.id)
        self.log.info("job %s is %s: %s", job.id, job.status, self.job_url)
        return job.id

    @override
    def on_kill(self) -> None:
        """Cancel the job if a user ended the task; on a worker's shutdown, leave it to the next try."""
        if self.started is None:
            return
        context, key = self.started
        if self.is_abandoned(context):
            service = self.service()
            if job := service.find(key):
                service.cancel(job.id)
                self.log.info("job %s was cancelled because its task was ended", job.id)

    def request_body(self) -> dict[str, Any]:
        """Return the request as a dictionary.

        Raises:
            ConfigurationError: if it isn't a JSON object.
        """
        try:
            body = json.loads(self.request) if isinstance(self.request, str) else dict(self.request)
        except ValueError as error:
            raise ConfigurationError(
                f"task {self.task_id}: request: {self.request!r} isn't valid JSON: {error}"
            ) from error
        if not isinstance(body, dict):
            raise ConfigurationError(f"task {self.task_id}: request: {self.request!r} isn't a JSON object")
        return body

    def _cancel_previous(self, service: JobService, context: Context, key: str) -> None:
        """Cancel the job that the task started before it was cleared."""
        previous = context["task_state_store"].get(KEY)
        if not isinstance(previous, str) or previous == key:
            return
        job = service.find(previous)
        if job and not job.status.finished:
            service.cancel(job.id)
            self.log.info("job %s was cancelled because its task was cleared", job.id)


class AwaitEtlJobOperator(EtlJobOperator):
    """Waits in the triggerer until a job has finished, and returns its id if it succeeded.

    The job is cancelled if it takes longer than ``timeout``, or if the task is marked as failed. If the task is
    cleared, it waits for the same job again.

    Args:
        job_id: the job; templated.
        timeout: maximum duration of the job since the service accepted it; retries don't extend it.
        poll_interval: seconds between two polls.
    """

    template_fields: Sequence[str] = ("job_id", "etl_job_conn_id")

    def __init__(
        self, *, job_id: str, timeout: timedelta = timedelta(hours=2), poll_interval: float = 30, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if timeout <= timedelta() or poll_interval < 1:
            raise ConfigurationError(
                f"task {self.task_id}: timeout={timeout}, poll_interval={poll_interval}: the timeout must be positive"
                " and the interval at least 1 s"
            )
        self.job_id = job_id
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.running: Context | None = None

    @override
    def execute(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Check the job, and defer until it has finished.

        Args:
            context: the task's context.
            event: the trigger's event; it only signals that the job should be checked again.

        Raises:
            JobFailedError: with the service's reason.
            JobCancelledError: if it was cancelled.
            JobTimeoutError: if it exceeded the timeout.
            JobNotFoundError: if the service doesn't know it.
            UpstreamError: if there is no usable response.
        """
        self.running = context
        service = self.service()
        self.set_job_url(service, self.job_id)
        job = service.job(self.job_id)
        job.require_success()
        if job.status.finished:
            return job.id
        remaining = job.created_at + self.timeout - datetime.now(UTC)
        if remaining <= timedelta():
            return self._cancel_timed_out(service)
        from spellbook.triggers.etl_job import EtlJobTrigger

        self.log.info("job %s is %s; waiting for up to %s: %s", job.id, job.status, remaining, self.job_url)
        raise TaskDeferred(
            trigger=EtlJobTrigger(job.id, self.etl_job_conn_id, self.poll_interval),
            method_name="execute",
            timeout=remaining,
        )

    @override
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Resume after the wait; on a timeout, check the job again, which cancels it."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            return self.execute(context)

    @override
    def on_kill(self) -> None:
        """Cancel the job if a user ended the task; on a worker's shutdown, leave it to the next try."""
        if self.running is not None and self.is_abandoned(self.running):
            self.service().cancel(self.job_id)
            self.log.info("job %s was cancelled because its task was ended", self.job_id)

    def _cancel_timed_out(self, service: JobService) -> str:
        """Cancel the job, unless it has finished in the meantime."""
        from include.domains.long_jobs.job import JobTimeoutError, Status

        job = service.cancel(self.job_id)
        if job.status is not Status.CANCELLED:
            job.require_success()
            return job.id
        raise JobTimeoutError(
            job.id,
            f"job {job.id} took longer than {self.timeout} and was cancelled at {job.progress:.0%}. Increase timeout,"
            " or find out why the job is slow, then clear the task that started it",
        )
