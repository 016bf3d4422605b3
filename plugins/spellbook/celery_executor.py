"""Airflow's CeleryExecutor, which also sends a queued task again whose message the broker has lost.

A broker that is flushed, or restarted without its file, forgets the queued tasks. Airflow notices when they have been
queued for ``[scheduler] task_queued_timeout``, which can't be short: it is also the lifetime of their token, and fails
tasks that merely wait for a free worker. This executor asks the broker instead, so that it can tell the two apart.
"""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from airflow.models.taskinstance import TaskInstance
from airflow.observability import stats
from airflow.providers.celery.executors import celery_executor
from airflow.providers.common.compat.sdk import AirflowTaskTimeout, timeout
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from celery import states
from sqlalchemy import select, update
from typing_extensions import override

if TYPE_CHECKING:
    from collections.abc import Collection

    from kombu.connection import Connection

CHECK_SECONDS = 15.0
BROKER_SECONDS = 5.0  # that a check may wait for the broker, as the scheduler waits for the check

log = logging.getLogger(__name__)


class CeleryExecutor(celery_executor.CeleryExecutor):
    """Compares the queued tasks with the messages in Redis every :data:`CHECK_SECONDS`.

    A task whose message is missing in two checks, and which no worker has started, goes back to ``scheduled``: the
    scheduler sends it again with a new token, and no try is used up. If a worker has it after all, Airflow's API lets
    only one of the two start.
    """

    _check_at = 0.0
    _missing: frozenset[str] = frozenset()

    @override
    def sync(self) -> None:
        super().sync()
        if time.monotonic() >= self._check_at:
            self._resend_lost()
            self._check_at = time.monotonic() + CHECK_SECONDS

    def _resend_lost(self) -> None:
        queued = self._queued()
        missing: frozenset[str] = frozenset()
        if queued:
            try:
                with timeout(seconds=BROKER_SECONDS), self.celery_app.connection_for_read() as broker:
                    held = messages(broker, {str(task.queue) for task in queued.values()})
            except (Exception, AirflowTaskTimeout) as error:  # each broker library has its own errors
                log.warning("The broker can't be asked for the messages of queued tasks: %r", error)
                return
            if held is not None:
                missing = self._unstarted(queued.keys() - held)
        for message in missing & self._missing:
            self._resend(queued[message])
        self._missing = missing - self._missing

    def _queued(self) -> dict[str, TaskInstance]:
        """Return the tasks that this executor has sent and that haven't started, by the id of their message."""
        sent = [result.task_id for result in self.workloads.values()]
        if not sent:
            return {}
        with create_session() as session:
            tasks = session.scalars(
                select(TaskInstance).where(
                    TaskInstance.state == TaskInstanceState.QUEUED, TaskInstance.external_executor_id.in_(sent)
                )
            ).all()
            session.expunge_all()
        return {str(task.external_executor_id): task for task in tasks}

    def _unstarted(self, ids: Collection[str]) -> frozenset[str]:
        """Return those that no worker has started, which may still wait for the API."""
        results = [result for result in self.workloads.values() if result.task_id in ids]
        found = self.bulk_state_fetcher.get_many(results) if results else {}
        return frozenset(message for message, (state, _) in found.items() if state == states.PENDING)

    def _resend(self, task: TaskInstance) -> None:
        log.warning("The broker has lost the message of %s; it is sent again", task.key)
        stats.incr("spellbook.messages.lost", tags={"queue": str(task.queue)})
        self.revoke_task(ti=task)
        with create_session() as session:
            session.execute(
                update(TaskInstance)
                .where(
                    TaskInstance.id == task.id,
                    TaskInstance.state == TaskInstanceState.QUEUED,
                    TaskInstance.external_executor_id == task.external_executor_id,
                )
                .values(
                    state=TaskInstanceState.SCHEDULED,
                    queued_dttm=None,
                    queued_by_job_id=None,
                    scheduled_dttm=datetime.now(UTC),
                )
                .execution_options(synchronize_session=False)
            )


def messages(broker: Connection, queues: Collection[str]) -> set[str] | None:
    """Return the ids of the messages in the queues, and of those that workers have received but not finished.

    ``None`` if the broker isn't Redis. The scheduler's limits bound their number.
    """
    channel = broker.channel()  # type: ignore[no-untyped-call]
    if broker.transport.driver_type != "redis":
        return None
    redis = channel.client
    waiting = [json.loads(message) for queue in queues for message in redis.lrange(queue, 0, -1)]
    received = [json.loads(delivery)[0] for delivery in redis.hvals(channel.unacked_key)]
    return {message["headers"]["id"] for message in (*waiting, *received)}
