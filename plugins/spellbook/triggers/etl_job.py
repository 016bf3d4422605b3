"""Waits for a job in the triggerer."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent
from asgiref.sync import sync_to_async
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential
from typing_extensions import override

from include.core.errors import ConfigurationError, PermanentUpstreamError, TransientUpstreamError
from include.domains.long_jobs.errors import EtlJobError
from spellbook.abandoned import is_abandoned
from spellbook.hooks.etl_job import EtlJobHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

CANCEL_SECONDS = 20  # Airflow gives a trigger 30 s for it


class EtlJobTrigger(BaseTrigger):
    """Asks for a job again and again, and fires when it has ended, or when asking on is no use.

    What came of the job isn't in the event: the task asks the service itself, and raises what there is to raise. While
    the service is away the trigger goes on asking, until the task's time-out.

    Args:
        job_id: the job.
        etl_job_conn_id: connection to the service.
        poll_interval: seconds between two questions; the first is asked after as many.
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
                self.log.warning("%s; asking again in %g s", error, pause)
                continue
            except (ConfigurationError, PermanentUpstreamError, EtlJobError) as error:
                self.log.warning("%s; the task will say so", error)
                break
            self.log.info("job %s is %s, %.0f %%", job.id, job.status, job.progress * 100)
            if job.status.finished:
                break
        yield TriggerEvent({"job_id": self.job_id})

    @override
    async def on_kill(self) -> None:
        """Cancel the job if nobody waits for it any more.

        Airflow calls this when the trigger is no longer this triggerer's: after somebody acted on the task, but also
        after another triggerer took over, for instance because this one stood still for a while. The task's state
        tells the cases apart. It isn't called when a triggerer ends.

        Raises:
            UpstreamError: if the service can't be asked to; Airflow logs it.
        """
        task = self.task_instance
        if task is None:
            return
        if not await sync_to_async(is_abandoned)(task.dag_id, task.run_id, task.task_id, task.map_index):
            self.log.info("job %s goes on: its task still waits for it", self.job_id)
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
        self.log.info("job %s is cancelled: its task was given up", self.job_id)
