"""The embedded stack's scheduler: it goes round fast while something runs or is awaited, and slowly while idle."""

from __future__ import annotations

import time

from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

from devstack.state import State

BRISK_SECONDS, CALM_SECONDS = 0.1, 0.4
LINGER_SECONDS = 2.0  # between two tasks of a run the executor has nothing


class Scheduler(SchedulerJobRunner):
    """Airflow's scheduler with an idle sleep that follows the work."""

    _busy_at = 0.0

    @property
    def _scheduler_idle_sleep_time(self) -> float:
        now = time.monotonic()
        if any(executor.running or executor.queued_tasks for executor in self.executors):
            self._busy_at = now
        brisk = now - self._busy_at < LINGER_SECONDS or State.current().is_awaited()
        return BRISK_SECONDS if brisk else CALM_SECONDS

    @_scheduler_idle_sleep_time.setter
    def _scheduler_idle_sleep_time(self, value: float) -> None:
        """Airflow sets what its configuration says."""
