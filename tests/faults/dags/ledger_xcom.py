"""Passes a value of some megabytes from one task to the next.

## What
Returns as many characters as the param asks for; the next task counts them.

## Inputs
Param `megabytes`.

## Outputs
None.

## On failure
Clear the failed task.
"""

from __future__ import annotations

from airflow.sdk import Param, dag, get_current_context, task

from tests.faults.dag import DEFAULTS


@dag(
    schedule=None,
    params={"megabytes": Param(1, type="integer", minimum=1)},
    doc_md=__doc__,
    **DEFAULTS,
)
def ledger_xcom() -> None:
    """Produce, count."""

    @task
    def produce() -> str:
        """Return the text."""
        return "x" * (int(get_current_context()["params"]["megabytes"]) * 1_000_000)

    @task
    def count(text: str) -> int:
        """Return its length."""
        if set(text) != {"x"}:
            raise ValueError("the text has changed")
        return len(text)

    count(produce())


ledger_xcom()
