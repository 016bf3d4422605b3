"""Eighteen short tasks at once, more than the workers take.

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
from pendulum import datetime

from include.core.tags import Tag
from tests.faults import TASKS
from tests.faults.note import note


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_tasks=TASKS,
    default_args={"owner": "data-platform"},
    tags=[Tag.EXAMPLE],
    doc_md=__doc__,
)
def ledger_burst() -> None:
    """Start them all."""

    @task
    def short(number: int) -> int:
        """Start and end."""
        note("start")
        note("end")
        return number

    short.expand(number=list(range(TASKS)))


ledger_burst()
