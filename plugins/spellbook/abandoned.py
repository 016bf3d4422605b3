"""Whether a task instance still wants what it started elsewhere."""

from __future__ import annotations

from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance

# Not among them: a task that was cleared (no state) will want it again; of one that was marked successful, others may.
OVER = frozenset({"failed", "skipped", "upstream_failed", "removed"})


def is_abandoned(dag_id: str, run_id: str, task_id: str, map_index: int | None) -> bool:
    """Ask Airflow; tell whether the task instance has ended without success, or is gone.

    Works in a task and in a trigger, for as long as their supervisor listens.
    """
    index = -1 if map_index is None else map_index
    found = RuntimeTaskInstance.get_task_states(dag_id=dag_id, task_ids=[task_id], run_ids=[run_id], map_index=index)
    states = found.get(run_id, {})
    name = task_id if index < 0 else f"{task_id}_{index}"
    return name not in states or states[name] in OVER
