"""What Airflow's audit log tells about a task that failed without reporting an error."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.models.taskinstance import TaskInstance
    from sqlalchemy.orm import Session

MARKED = "marked as failed"
CAUSES = {
    MARKED: "somebody marked the task as failed",
    "heartbeat timeout": "its worker was lost, or couldn't reach the API server: no heartbeat arrived in time",
    "state mismatch": "the executor reported its end, but the task itself didn't: its worker or its process was lost",
    "stuck in queued tries exceeded": "it was queued again and again, but no worker started it in time",
}
"""Events of the audit log, most of which Airflow's scheduler writes, and what they mean."""


def record_mark(ti: TaskInstance) -> None:
    """Write that somebody marked a task instance as failed to the audit log, in the transaction that does it."""
    from airflow.models.log import Log
    from sqlalchemy.orm import object_session

    session = object_session(ti)
    if session is None:
        raise RuntimeError(f"task {ti.task_id} of run {ti.run_id} of {ti.dag_id} has no database session")
    session.add(Log(event=MARKED, task_instance=ti.key))


def cause_of(ti: TaskInstance, session: Session) -> str:
    """Return why the last try of a task instance failed, in words; empty if the audit log doesn't tell."""
    from airflow.models.log import Log
    from sqlalchemy import select

    event = session.scalar(
        select(Log.event)
        .where(
            Log.dag_id == ti.dag_id,
            Log.task_id == ti.task_id,
            Log.run_id == ti.run_id,
            Log.map_index == ti.map_index,
            Log.try_number == ti.try_number,
            Log.event.in_(CAUSES),
        )
        .order_by(Log.id.desc())
        .limit(1)
    )
    return CAUSES.get(event or "", "")
