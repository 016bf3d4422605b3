"""A trigger that waits for a job."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential
from typing_extensions import override

from include.core.errors import ConfigurationError, PermanentUpstreamError, TransientUpstreamError
from include.domains.long_jobs.job import EtlJobError
from spellbook.hooks.etl_job import EtlJobHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CANCEL_SECONDS = 20  # Airflow allows a trigger 30 s
# Not included: a cleared task (no state) needs its job again, and other tasks may use the job of a successful one.
ABANDONED = frozenset({"failed", "skipped", "upstream_failed", "removed"})


def is_abandoned(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> bool:
    """Return whether the task instance has ended without success, or no longer exists.

    It queries Airflow, and works in tasks and triggers while their supervisor is running.
    """
    index = -1 if map_index is None else map_index
    runs = RuntimeTaskInstance.get_task_states(dag_id=dag_id, task_ids=[task_id], run_ids=[run_id], map_index=index)
    states = runs.get(run_id, {})
    name = task_id if index < 0 else f"{task_id}_{index}"
    return name not in states or states[name] in ABANDONED


class EtlJobTrigger(BaseTrigger):
    """Polls a job, and fires when it has finished, or when a permanent error makes polling useless.

    The event doesn't contain the job's result: the task requests it from the service and raises errors. While the
    service is unavailable, polling continues until the task's timeout.

    Args:
        job_id: the job.
        etl_job_conn_id: connection to the service.
        poll_interval: seconds between two polls, and before the first one.
    """

    def __init__(self, job_id: str, etl_job_conn_id: str, poll_interval: float) -> None:
        super().__init__()
        self.job_id = job_id
        self.etl_job_conn_id = etl_job_conn_id
        self.poll_interval = poll_interval

    @override
    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return class and arguments."""
        arguments = {
            "job_id": self.job_id,
            "etl_job_conn_id": self.etl_job_conn_id,
            "poll_interval": self.poll_interval,
        }
        return f"{type(self).__module__}.{type(self).__qualname__}", arguments

    @override
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Fire once, with the job's id."""
        pause, service = self.poll_interval, None
        while True:
            await asyncio.sleep(pause)
            pause = self.poll_interval
            try:
                service = service or await EtlJobHook(self.etl_job_conn_id).get_async_conn()
                job = await service.job(self.job_id)
            except TransientUpstreamError as error:
                pause = max(pause, error.retry_after or 0)
                self.log.warning("%s; polling again in %g s", error, pause)
                continue
            except (ConfigurationError, PermanentUpstreamError, EtlJobError) as error:
                self.log.warning("%s; the task will raise this error", error)
                break
            self.log.info("job %s is %s, %.0f %%", job.id, job.status, job.progress * 100)
            if job.status.finished:
                break
        yield TriggerEvent({"job_id": self.job_id})

    @override
    async def on_kill(self) -> None:
        """Cancel the job if its task no longer waits for it.

        Airflow calls this when the trigger is removed from this triggerer: after a user action on the task, but also
        after another triggerer took over, for instance because this one was unresponsive. The task's state
        distinguishes these cases. It isn't called when a triggerer shuts down.

        Raises:
            UpstreamError: if the cancellation fails; Airflow logs it.
        """
        task = self.task_instance
        if task is None:
            return
        if not await sync_to_async(is_abandoned)(task.dag_id, task.run_id, task.task_id, task.map_index):
            self.log.info("job %s continues: its task still waits for it", self.job_id)
            return
        async for attempt in AsyncRetrying(
            retry=retry_if_exception_type(TransientUpstreamError),
            stop=stop_after_delay(CANCEL_SECONDS),
            wait=wait_exponential(max=5),
            reraise=True,
        ):
            with attempt:
                service = await EtlJobHook(self.etl_job_conn_id).get_async_conn()
                await service.cancel(self.job_id)
        self.log.info("job %s was cancelled because its task was ended", self.job_id)
