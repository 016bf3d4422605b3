"""The embedded stack's scheduler and its executor.

The scheduler loops fast while something runs or is awaited, and slowly when idle or when the machine is busy. It starts
no task before this stack's API server listens: without it, or with another program on its port, tasks would use up
their tries. It creates the scheduled runs that commands request.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from airflow.executors.base_executor import BaseExecutor
from airflow.executors.workloads import ExecutorWorkload
from airflow.jobs.scheduler_job_runner import SchedulerJobRunner
from airflow.utils.session import create_session
from typing_extensions import override

from devstack import scheduled_runs
from devstack.process import Record, is_listening
from devstack.state import State
from devstack.waiting import REST

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy.orm import Session

FAST_POLL_SECONDS, IDLE_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 0.4, 1.0
LINGER_SECONDS = 2.0  # the executor is empty between two tasks of a run


class Scheduler(SchedulerJobRunner):
    """Airflow's scheduler with an idle sleep that adapts to the load."""

    _busy_at = 0.0
    _woke_at = float("inf")
    _api_listens = False

    @override
    def _do_scheduling(self, session: Session) -> int:
        State.current().scheduled_runs.serve(_create)
        return super()._do_scheduling(session)

    @override
    def _critical_section_enqueue_task_instances(self, session: Session) -> int:
        if not self._api_listens:
            state = State.current()
            record = Record.read(state.airflow_home / "api-server.json")
            server = record.process() if record else None
            self._api_listens = server is not None and is_listening(server, state.port("api"))
        return super()._critical_section_enqueue_task_instances(session) if self._api_listens else 0

    @property
    def _scheduler_idle_sleep_time(self) -> float:
        now = time.monotonic()
        if any(executor.running or executor.queued_tasks for executor in self.executors):
            self._busy_at = now
        is_busy = now - self._busy_at < LINGER_SECONDS or State.current().is_awaited()
        shortest = FAST_POLL_SECONDS if is_busy else IDLE_POLL_SECONDS
        pause = max(shortest, min(REST * (now - self._woke_at), LONGEST_POLL_SECONDS))
        self._woke_at = now + pause
        return pause

    @_scheduler_idle_sleep_time.setter
    def _scheduler_idle_sleep_time(self, value: float) -> None:
        """Ignore the configured value, which Airflow sets."""


def _create(dag_id: str, day: date) -> str:
    with create_session() as session:
        return scheduled_runs.create(dag_id, day, session)


class Executor(BaseExecutor):
    """The base class of Airflow's LocalExecutor, without a copy of each task's log in the scheduler's.

    The copy isn't masked: a task reports its secrets to another masker than the scheduler's.
    """

    @staticmethod
    def run_workload(workload: ExecutorWorkload, **options: Any) -> int:
        """Run a task."""
        return BaseExecutor.run_workload(workload, **options | {"subprocess_logs_to_stdout": False})
