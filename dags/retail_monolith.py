"""Retail as one DAG: files, sums and report, one after the other. For comparison with the three that do the same.

## What
What `retail_validate`, `retail_transform` and `retail_report` do, day after day in one chain. It leaves the same rows
and sends the same mail; what the split gains and costs is measured by `python -m benchmarks.retail`.

## Inputs
- param `days`; without it, every day that there is a file of
- files `online_retail_<day>.csv` in `retail/landed/` of object storage, else in `SPELLBOOK_RETAIL`
- connection `smtp_default`

## Outputs
- tables `retail_lines`, `retail_sales`, `quarantine`; a mail to `SPELLBOOK_RETAIL_MAIL`

## On failure
The first bad file stops everything behind it: correct it, clear the failed task. See `docs/runbooks/retail.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.sql.operators.sql import (
    SQLColumnCheckOperator,
    SQLExecuteQueryOperator,
    SQLTableCheckOperator,
)
from airflow.providers.smtp.operators.smtp import EmailOperator
from airflow.sdk import ObjectStoragePath, Param, chain, dag, task
from pendulum import datetime

from include.core.dag import storage_root, warehouse_uri
from include.core.settings import RETAIL
from include.core.tags import Tag
from include.domains.retail import report
from include.domains.retail.files import DAYS, LANDED
from include.domains.retail.settings import RETAIL_MAIL


@dag(
    schedule=None,
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params={"days": Param(**DAYS)},
    default_args={"owner": "retail"},
    tags=[Tag.EXAMPLE, Tag.RETAIL],
    doc_md=__doc__,
)
def retail_monolith() -> None:
    """Load, add up, check, sum up, mail."""

    @task(pool="database_access")
    def validate(postgres_conn_id: str, **context: Any) -> list[str]:
        """Load one file after the other; return their days."""
        from include.core.warehouse.attempt import Attempt
        from include.domains.retail import files, pipeline

        landed = storage_root() / LANDED
        found = files.find([landed, ObjectStoragePath(RETAIL.read())], files.days_asked(context["params"]["days"], []))
        for file in found:
            uri = warehouse_uri(postgres_conn_id)
            pipeline.validate(ObjectStoragePath(file["source"]), uri, file["partition"], Attempt.from_context(context))
        return [file["partition"] for file in found]

    @task(pool="database_access")
    def transform(days: list[str], postgres_conn_id: str, **context: Any) -> None:
        """Publish the sales of one day after the other."""
        from include.core.warehouse.attempt import Attempt
        from include.domains.retail import pipeline

        for day in days:
            pipeline.transform(warehouse_uri(postgres_conn_id), day, Attempt.from_context(context))

    days = validate("postgres_default")
    chain(
        transform(days, "postgres_default"),
        SQLColumnCheckOperator(task_id="check_columns", conn_id="postgres_default", **report.COLUMNS),
        SQLTableCheckOperator(task_id="check_table", conn_id="postgres_default", **report.TABLE),
        SQLExecuteQueryOperator(
            task_id="summarise", conn_id="postgres_default", sql=report.SUMMARY, parameters={"days": days}
        ),
        EmailOperator(task_id="mail", conn_id="smtp_default", to=RETAIL_MAIL.read(), **report.MAIL),
    )


retail_monolith()
