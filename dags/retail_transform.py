"""Retail, step 2 of 3: aggregates the lines of each day by country.

## What
Removes duplicate lines, aggregates by country, publishes; the days run in parallel.

## Inputs
- asset `retail_lines`, with the loaded days in its event
- param `days`; without it and without an event, every day of the table
- param `preview`: show what the run would change, and write nothing
- table `retail_lines`

## Outputs
- table `retail_sales(day, country, invoices, cancelled, lines, repeated, revenue)`, GBP
- asset `retail_sales`, with the days in its event; triggers `retail_report`

## On failure
`NoLinesError`: run `retail_validate` for the days. The run can be repeated safely. See `docs/runbooks/retail.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, accept_param, end_preview, publication, warehouse_uri
from include.core.tags import Tag
from include.domains.retail.tasks import PARAMS, find_days

RETAIL_SALES = Asset("retail_sales")


@dag(
    schedule=[Asset("retail_lines")],
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW | PARAMS | {"accept": accept_param()},
    default_args={"owner": "retail"},
    tags=[Tag.RETAIL],
    doc_md=__doc__,
)
def retail_transform() -> None:
    """Find the days, aggregate, publish."""

    @task(pool="database_access", map_index_template="{{ day }}", execution_timeout=timedelta(hours=1))
    def transform_day(day: str, postgres_conn_id: str, **context: Any) -> None:
        """Publish the sales of a day."""
        from include.domains.retail import pipeline

        context["day"] = day
        with publication(context) as attempt:
            pipeline.transform(warehouse_uri(postgres_conn_id), day, attempt)

    @task(outlets=[RETAIL_SALES], trigger_rule="none_failed_min_one_success")
    def publish(days: list[str], **context: Any) -> None:
        """Emit the asset event with the published days."""
        end_preview(context)
        context["outlet_events"][RETAIL_SALES].extra = {"days": days}

    days = find_days("postgres_default")
    transform_day.partial(postgres_conn_id="postgres_default").expand(day=days) >> publish(days)


retail_transform()
