"""Short tasks at once, more than the workers take: eighteen, and two hundred.

## What
Tells the ledger when each starts and ends.

## Inputs
Connection `ledger_default`.

## Outputs
None.

## On failure
Clear the failed task.
"""

from __future__ import annotations

from airflow.sdk import dag, task

from tests.faults import MANY_TASKS, TASKS
from tests.faults.dag import DEFAULTS, note


def burst(dag_id: str, number: int) -> None:
    """Create a DAG with a number of tasks."""

    @task
    def short(number: int) -> int:
        """Start and end."""
        note("start")
        note("end")
        return number

    @dag(
        dag_id,
        schedule=None,
        max_active_tasks=TASKS,
        doc_md=__doc__,
        **DEFAULTS,
    )
    def tasks() -> None:
        """Start them all."""
        short.expand(number=list(range(number)))

    tasks()


burst("ledger_burst", TASKS)
burst("ledger_many", MANY_TASKS)
