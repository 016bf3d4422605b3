"""One task that needs much memory.

## What
Allocates 300 MB in its first try, between two steps that it tells the ledger.

## Inputs
Connection `ledger_default`.

## Outputs
None.

## On failure
Clear the failed task.
"""

from __future__ import annotations

from airflow.sdk import dag, get_current_context, task

from tests.faults.dag import DEFAULTS, note


@dag(schedule=None, doc_md=__doc__, **DEFAULTS)
def ledger_hungry() -> None:
    """Allocate."""

    @task
    def hungry() -> None:
        """Allocate."""
        note("start")
        if get_current_context()["ti"].try_number == 1:
            b"x" * 300_000_000  # noqa: B018
        note("end")

    hungry()


ledger_hungry()
