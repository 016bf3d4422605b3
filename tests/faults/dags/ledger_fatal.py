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

from tests.faults.dag import DEFAULTS, note


@dag(schedule=None, doc_md=__doc__, **DEFAULTS)
def ledger_fatal() -> None:
    """Start and end."""

    @task(retries=0)
    def only() -> None:
        """Start and end."""
        note("start")
        note("end")

    only()


ledger_fatal()
