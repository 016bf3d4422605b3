"""Month-end close: the revenue of a calendar month by country.

## What
On the second business day after each month (TARGET calendar), with priority over all other tasks: checks that the
month's sales are loaded, aggregates them, publishes the revenue, and reconciles it by a second computation.

## Inputs
- table `sales_data`, from `process_sales_data`
- the month: the run's data interval; the month before the trigger, if the run has none

## Outputs
- table `finance_revenue(month, country, invoices, cancelled, revenue)`, GBP
- asset `finance_revenue`

## On failure
`NothingToCloseError`: run `process_sales_data` for the month's days; the task then succeeds when it is retried or
cleared. `RevenueMismatchError`: sales were loaded in the meantime; clear the run. The run can be repeated safely.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, dag, task
from pendulum import datetime

from include.core.dag import warehouse_uri
from include.core.tags import Tag
from spellbook.timetables.month_end import MonthEndTimetable


@dag(
    schedule=MonthEndTimetable(business_day=2, hour=6),
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "finance", "queue": "finance_priority"},
    tags=[Tag.FINANCE],
    doc_md=__doc__,
)
def process_finance_data() -> None:
    """Check, close, reconcile."""

    @task(pool="database_access", priority_weight=100, weight_rule="absolute", inlets=[Asset("sales_data")])
    def check_sales(postgres_conn_id: str, **context: Any) -> str:
        """Fail if the month has no sales; return its first day."""
        from include.domains.finance import close

        run = context["dag_run"]
        month = close.month_of(run.data_interval_start, run.run_after)
        days = close.days_loaded(warehouse_uri(postgres_conn_id), month)
        print(f"{month:%Y-%m}: {days} day(s) have sales")
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

        from include.core.warehouse.attempt import Attempt
        from include.domains.finance import close

        uri = warehouse_uri(postgres_conn_id)
        close.close(uri, dt.date.fromisoformat(month), Attempt.from_context(context))

    @task(pool="cpu_bound_pool", pool_slots=2, priority_weight=100, weight_rule="absolute")
    def reconcile(month: str, postgres_conn_id: str) -> None:
        """Sum all lines one by one, and fail if the result differs from the published revenue; CPU-bound."""
        import datetime as dt

        from include.domains.finance import close

        close.reconcile(warehouse_uri(postgres_conn_id), dt.date.fromisoformat(month))

    month = check_sales("postgres_default")
    close_month(month, "postgres_default") >> reconcile(month, "postgres_default")


process_finance_data()
