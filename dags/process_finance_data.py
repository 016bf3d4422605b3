"""Month-end close: the revenue of a calendar month by country.

## What
On the second business day after each month (TARGET calendar), with priority over all other tasks: checks that the
month's sales are loaded completely, aggregates them, publishes the revenue, and reconciles it by a second computation.

## Inputs
- table `sales_data`, from `process_sales_data`
- param `partial`: close a month with missing days, marked as incomplete; the default is `SPELLBOOK_FINANCE_PARTIAL`
- the month: the run's data interval; the month before the trigger, if the run has none
- param `preview`: show what the run would change, and write nothing

## Outputs
- table `finance_revenue(month, country, invoices, cancelled, revenue)`, GBP
- asset `finance_revenue`

## On failure
`NothingToCloseError`, `MissingDaysError`: run `process_sales_data` for the days that the error names; the task then
succeeds when it is retried or cleared. If they have no sales, run with `partial`. `RevenueMismatchError`: sales were
loaded in the meantime; clear the run. The run can be repeated safely.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, Param, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, accept_param, publication, warehouse_uri
from include.core.tags import Tag
from include.domains.finance.settings import FINANCE_PARTIAL
from spellbook.timetables.month_end import MonthEndTimetable


@dag(
    schedule=MonthEndTimetable(business_day=2, hour=6),
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW
    | {
        "accept": accept_param(),
        "partial": Param(
            FINANCE_PARTIAL.read_bool(),
            type="boolean",
            description="Close a month with missing days; its revenue is marked as incomplete.",
        ),
    },
    default_args={"owner": "finance", "queue": "finance_priority"},
    tags=[Tag.FINANCE],
    doc_md=__doc__,
)
def process_finance_data() -> None:
    """Check, close, reconcile."""

    @task(pool="database_access", priority_weight=100, weight_rule="absolute", inlets=[Asset("sales_data")])
    def check_sales(postgres_conn_id: str, **context: Any) -> str:
        """Fail if a day of the month is missing; return its first day."""
        from include.datasets import calendar_of
        from include.domains.finance import close

        run = context["dag_run"]
        month = close.month_of(run.data_interval_start, run.run_after)
        partial = context["params"]["partial"]
        lacking = close.check(warehouse_uri(postgres_conn_id), month, calendar_of(close.SALES), partial=partial)
        print(f"{month:%Y-%m}: {lacking}" if lacking else f"{month:%Y-%m}: every day is loaded")
        return month.isoformat()

    @task(
        pool="database_access",
        pool_slots=2,
        priority_weight=100,
        weight_rule="absolute",
        outlets=[Asset("finance_revenue")],
    )
    def close_month(month: str, postgres_conn_id: str, **context: Any) -> None:
        """Publish the revenue by country; takes two pool slots because it reads a whole month."""
        import datetime as dt

        from include.datasets import calendar_of
        from include.domains.finance import close

        uri, partial = warehouse_uri(postgres_conn_id), context["params"]["partial"]
        with publication(context) as attempt:
            close.close(uri, dt.date.fromisoformat(month), calendar_of(close.SALES), attempt, partial=partial)

    @task(pool="cpu_bound_pool", pool_slots=2, priority_weight=100, weight_rule="absolute")
    def reconcile(month: str, postgres_conn_id: str) -> None:
        """Sum all lines one by one, and fail if the result differs from the published revenue; CPU-bound."""
        import datetime as dt

        from include.domains.finance import close

        close.reconcile(warehouse_uri(postgres_conn_id), dt.date.fromisoformat(month))

    month = check_sales("postgres_default")
    close_month(month, "postgres_default") >> reconcile(month, "postgres_default")


process_finance_data()
