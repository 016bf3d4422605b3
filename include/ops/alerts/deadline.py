"""The reference time of a run's deadline.

Airflow's ``DeadlineReference.DAGRUN_QUEUED_AT`` is the same time, but 3.3.2 can't clear a task of a DAG that uses it:
the API returns 500, because it moves the deadline by an interval that it expects in seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk.definitions.deadline import BaseDeadlineReference

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session


class RunQueued(BaseDeadlineReference):
    """When the run was first queued; a run that is cleared keeps its deadline."""

    required_kwargs = frozenset({"dag_id", "run_id"})

    def _evaluate_with(self, *, session: Session, dag_id: str, run_id: str) -> datetime | None:
        """Return the time; called by the scheduler when it creates the run."""
        from airflow.models import DagRun
        from sqlalchemy import select

        queued: datetime | None = session.scalar(
            select(DagRun.queued_at).where(DagRun.dag_id == dag_id, DagRun.run_id == run_id)
        )
        return queued
