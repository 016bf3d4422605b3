"""Retail, last of three: the sales checked once more and mailed.

## What
Refuses sales that can't be right, sums them up by day, mails the summary.

## Inputs
- asset `retail_sales`, with the days that were added up
- param `days`; without it and without an event, every day of the table `retail_lines`
- table `retail_sales`; connection `smtp_default`

## Outputs
- a mail to `SPELLBOOK_RETAIL_MAIL`

## On failure
No mail is sent. A check names column and value: fix them, run `retail_transform`. See `docs/runbooks/retail.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.sql.operators.sql import (
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
    SQLTableCheckOperator,
)
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import Asset, Param, chain, dag, task
from pendulum import datetime

from include.core.dag import warehouse_uri
from include.core.tags import Tag
from include.domains.retail import report
from include.domains.retail.files import DAYS
from include.domains.retail.settings import RETAIL_MAIL


@dag(
    schedule=[Asset("retail_sales")],
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params={"days": Param(**DAYS)},
    default_args={"owner": "retail"},
    tags=[Tag.RETAIL],
    doc_md=__doc__,
)
def retail_report() -> None:
    """Find, check, sum up, mail."""

    @task
    def find_days(postgres_conn_id: str, **context: Any) -> list[str]:
        """Return the days that this run is about."""
        from include.domains.retail import files, pipeline

        events = context["triggering_asset_events"].values()
        asked = files.days_asked(context["params"]["days"], [event.extra for found in events for event in found])
        return pipeline.days_in(warehouse_uri(postgres_conn_id), asked)

    days = find_days("postgres_default")
    chain(
        days,
        [
            SQLColumnCheckOperator(task_id="check_columns", conn_id="postgres_default", **report.COLUMNS),
            SQLTableCheckOperator(task_id="check_table", conn_id="postgres_default", **report.TABLE),
        ],
        SQLExecuteQueryOperator(
            task_id="summarise", conn_id="postgres_default", sql=report.SUMMARY, parameters={"days": days}
        ),
        EmailOperator(task_id="mail", conn_id="smtp_default", to=RETAIL_MAIL.read(), **report.MAIL),
    )


retail_report()
