"""The embedded stack's scheduler: it loops fast while something runs or is awaited, and slowly when idle."""

from __future__ import annotations

import time

from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

from devstack.state import State

FAST_POLL_SECONDS, IDLE_POLL_SECONDS = 0.1, 0.4
LINGER_SECONDS = 2.0  # the executor is empty between two tasks of a run


class Scheduler(SchedulerJobRunner):
    """Airflow's scheduler with an idle sleep that adapts to the load."""

    _busy_at = 0.0

    @property
    def _scheduler_idle_sleep_time(self) -> float:
        now = time.monotonic()
        if any(executor.running or executor.queued_tasks for executor in self.executors):
            self._busy_at = now
        is_busy = now - self._busy_at < LINGER_SECONDS or State.current().is_awaited()
        return FAST_POLL_SECONDS if is_busy else IDLE_POLL_SECONDS

    @_scheduler_idle_sleep_time.setter
    def _scheduler_idle_sleep_time(self, value: float) -> None:
        """Ignore the configured value, which Airflow sets."""
