"""Retail, second of three: the lines of each day added up by country.

## What
Counts repeated lines once, adds up by country, publishes; days side by side.

## Inputs
- asset `retail_lines`, with the days that were loaded
- param `days`; without it and without an event, every day of the table
- table `retail_lines`

## Outputs
- table `retail_sales(day, country, invoices, cancelled, lines, repeated, revenue)`, GBP
- asset `retail_sales`, with the days: starts `retail_report`

## On failure
`NoLinesError`: run `retail_validate` for the days. A repeated run leaves the same rows. See `docs/runbooks/retail.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, Param, dag, task
from pendulum import datetime

from include.core.dag import warehouse_uri
from include.core.tags import Tag
from include.domains.retail.files import DAYS

RETAIL_SALES = Asset("retail_sales")


@dag(
    schedule=[Asset("retail_lines")],
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params={"days": Param(**DAYS)},
    default_args={"owner": "retail"},
    tags=[Tag.RETAIL],
    doc_md=__doc__,
)
def retail_transform() -> None:
    """Find, add up, tell."""

    @task
    def find_days(postgres_conn_id: str, **context: Any) -> list[str]:
        """Return the days that this run is about."""
        from include.domains.retail import files, pipeline

        events = context["triggering_asset_events"].values()
        asked = files.days_asked(context["params"]["days"], [event.extra for found in events for event in found])
        return pipeline.days_in(warehouse_uri(postgres_conn_id), asked)

    @task(pool="database_access", map_index_template="{{ day }}", execution_timeout=timedelta(hours=1))
    def transform_day(day: str, postgres_conn_id: str, **context: Any) -> None:
        """Publish the sales of a day."""
        from include.core.warehouse.attempt import Attempt
        from include.domains.retail import pipeline

        context["day"] = day
        pipeline.transform(warehouse_uri(postgres_conn_id), day, Attempt.from_context(context))

    @task(outlets=[RETAIL_SALES])
    def publish(days: list[str], **context: Any) -> None:
        """Tell which days are there."""
        context["outlet_events"][RETAIL_SALES].extra = {"days": days}

    days = find_days("postgres_default")
    transform_day.partial(postgres_conn_id="postgres_default").expand(day=days) >> publish(days)


retail_transform()
