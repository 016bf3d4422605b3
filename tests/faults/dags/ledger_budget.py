"""Calls an API from four processes, which share its limit.

## What
Each of four tasks makes the same number of calls, as fast as the limit allows.

## Inputs
Connection `ledger_default`.

## Outputs
None.

## On failure
Clear the failed task.
"""

from __future__ import annotations

from airflow.sdk import Connection, dag, task

from include.core.dag import warehouse_uri
from tests.faults import BUDGET_SECONDS, CALLS, CALLS_A_TASK
from tests.faults.dag import DEFAULTS


@dag(schedule=None, doc_md=__doc__, **DEFAULTS)
def ledger_budget() -> None:
    """Call."""

    @task
    def call(number: int) -> int:
        """Make the calls of one task."""
        from include.core.http.client import HttpApi, Limits, connection_url
        from include.core.http.egress import Egress
        from include.core.http.rate_limit import RateLimiter

        base = connection_url(Connection.get("ledger_default"))
        limiter = RateLimiter(warehouse_uri("postgres_default"), "ledger", calls=CALLS, seconds=BUDGET_SECONDS)
        api = HttpApi("ledger", Egress.to(base), limiter, Limits(deadline=300))
        for _ in range(CALLS_A_TASK):
            api.get(f"{base}/budget")
        return number

    call.expand(number=[0, 1])
    call.override(task_id="call_second", queue="second").expand(number=[2, 3])


ledger_budget()
