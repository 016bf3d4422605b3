"""One task without retries.

## What
Tells the ledger that it has started.

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
from tests.faults.note import note


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "data-platform"},
    tags=[Tag.EXAMPLE],
    doc_md=__doc__,
)
def ledger_fatal() -> None:
    """Start and end."""

    @task(retries=0)
    def only() -> None:
        """Start and end."""
        note("start")
        note("end")

    only()


ledger_fatal()
