"""Start a job at the job service, and wait for it without a worker."""

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
    """Leads to the job at the service; Airflow stores it with the task instance."""

    name = "Job"

    @override
    def get_link(self, operator: Any, *, ti_key: TaskInstanceKey) -> str:
        """Return the URL that the operator has noted, if it has come so far."""
        return str(operator.job_url)


class EtlJobOperator(BaseOperator):
    """What both operators share.

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
        """Return the service that the connection names."""
        from spellbook.hooks.etl_job import EtlJobHook

        return EtlJobHook(self.etl_job_conn_id).get_conn()

    def note(self, service: JobService, job_id: str) -> None:
        """Note where the job is to be seen."""
        from include.domains.long_jobs.service import job_url

        self.job_url = job_url(service.base, job_id)

    def is_abandoned(self, context: Context) -> bool:
        """Tell whether somebody ended the task, other than a worker that is shut down."""
        from spellbook.abandoned import is_abandoned

        task = context["ti"]
        return is_abandoned(task.dag_id, task.run_id, task.task_id, task.map_index)


class StartEtlJobOperator(EtlJobOperator):
    """Starts a job and returns its id; however often the task is tried, it starts one job.

    The service gets a key that is the same for all tries, so that a try whose worker died, or whose answer was lost,
    finds the job that it started. Clearing the task starts another job, after the one before is cancelled.

    Args:
        request: what ``POST /jobs`` takes, as a dictionary or as JSON; templated.
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
            ConfigurationError: ``request`` or the connection can't be used.
            UpstreamError: the service refuses, or gives no usable answer.
        """
        from include.domains.long_jobs.job import idempotency_key

        request = self.request_body()
        task = context["ti"]
        cleared = max(task.max_tries - (self.retries or 0), 0)  # what clearing adds to max_tries; a retry adds nothing
        index = -1 if task.map_index is None else task.map_index
        key = idempotency_key(task.dag_id, task.run_id, task.task_id, index, cleared)
        service = self.service()
        self._cancel_before(service, context, key)
        context["task_state_store"].set(KEY, key)
        self.started = (context, key)
        job = service.start(request, key)
        self.note(service, job.id)
        self.log.info("job %s is %s: %s", job.id, job.status, self.job_url)
        return job.id

    @override
    def on_kill(self) -> None:
        """Cancel the job if somebody ended the task; a worker that is shut down leaves it to the next try."""
        if self.started is None:
            return
        context, key = self.started
        if self.is_abandoned(context):
            service = self.service()
            if job := service.find(key):
                service.cancel(job.id)
                self.log.info("job %s is cancelled: its task was ended", job.id)

    def request_body(self) -> dict[str, Any]:
        """Return the request as a dictionary.

        Raises:
            ConfigurationError: if it isn't a JSON object.
        """
        try:
            found = json.loads(self.request) if isinstance(self.request, str) else dict(self.request)
        except ValueError as error:
            raise ConfigurationError(f"task {self.task_id}: request: {self.request!r} isn't JSON: {error}") from error
        if not isinstance(found, dict):
            raise ConfigurationError(f"task {self.task_id}: request: {self.request!r} isn't a JSON object")
        return found

    def _cancel_before(self, service: JobService, context: Context, key: str) -> None:
        """Cancel the job that the task started before it was cleared."""
        before = context["task_state_store"].get(KEY)
        if not isinstance(before, str) or before == key:
            return
        job = service.find(before)
        if job and not job.status.finished:
            service.cancel(job.id)
            self.log.info("job %s is cancelled: its task was cleared", job.id)


class AwaitEtlJobOperator(EtlJobOperator):
    """Waits in the triggerer until a job has ended, and returns its id if it succeeded.

    A job that takes longer than ``timeout`` is cancelled, and so is one whose task is marked as failed. Clearing the
    task waits for the same job again.

    Args:
        job_id: the job; templated.
        timeout: how long the job may take, from when the service accepted it; a retry doesn't make it longer.
        poll_interval: seconds between two questions.
    """

    template_fields: Sequence[str] = ("job_id", "etl_job_conn_id")

    def __init__(
        self, *, job_id: str, timeout: timedelta = timedelta(hours=2), poll_interval: float = 30, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if timeout <= timedelta() or poll_interval < 1:
            raise ConfigurationError(
                f"task {self.task_id}: timeout={timeout}, poll_interval={poll_interval}: give a positive time-out and"
                " an interval of 1 s or more"
            )
        self.job_id = job_id
        self.timeout = timeout
        self.poll_interval = poll_interval
        self.running: Context | None = None

    @override
    def execute(self, context: Context, event: Mapping[str, Any] | None = None) -> str:
        """Look at the job, and defer until it has ended.

        Args:
            context: of the task.
            event: what the trigger fired; it only says that the job is worth another look.

        Raises:
            JobFailedError: with the service's reason.
            JobCancelledError: if it was cancelled.
            JobTimeoutError: if it took too long.
            JobNotFoundError: if the service doesn't know it.
            UpstreamError: if there is no usable answer.
        """
        self.running = context
        service = self.service()
        self.note(service, self.job_id)
        job = service.job(self.job_id)
        job.require_success()
        if job.status.finished:
            return job.id
        remaining = job.created_at + self.timeout - datetime.now(UTC)
        if remaining <= timedelta():
            return self._give_up(service)
        from spellbook.triggers.etl_job import EtlJobTrigger

        self.log.info("job %s is %s; waiting for up to %s: %s", job.id, job.status, remaining, self.job_url)
        raise TaskDeferred(
            trigger=EtlJobTrigger(job.id, self.etl_job_conn_id, self.poll_interval),
            method_name="execute",
            timeout=remaining,
        )

    @override
    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the wait; where it was too long, look at the job once more and cancel it."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except TaskDeferralTimeout:
            return self.execute(context)

    @override
    def on_kill(self) -> None:
        """Cancel the job if somebody ended the task; a worker that is shut down leaves it to the next try."""
        if self.running is not None and self.is_abandoned(self.running):
            self.service().cancel(self.job_id)
            self.log.info("job %s is cancelled: its task was ended", self.job_id)

    def _give_up(self, service: JobService) -> str:
        """Cancel the job; one that succeeded at this very moment is fine."""
        from include.domains.long_jobs.errors import JobTimeoutError
        from include.domains.long_jobs.job import Status

        job = service.cancel(self.job_id)
        if job.status is not Status.CANCELLED:
            job.require_success()
            return job.id
        raise JobTimeoutError(
            job.id,
            f"job {job.id} took longer than {self.timeout} and was cancelled at {job.progress:.0%}. Raise timeout, or"
            " find out why it is slow, then clear the task that started it",
        )
