"""Loads, aggregates and reports retail sales in one DAG, for comparison with the three DAGs that do the same.

## What
Does the work of `retail_validate`, `retail_transform` and `retail_report` in one chain, one day after the other. The
rows and the mail are the same; `python -m benchmarks.retail` compares the run times.

## Inputs
- param `days`; without it, every day that has a file
- param `preview`: show what the run would change in `retail_lines`, and write nothing
- files `online_retail_<day>.csv` in `retail/landed/` of object storage, else in `SPELLBOOK_RETAIL`
- connection `smtp_default`

## Outputs
- tables `retail_lines`, `retail_sales`, `quarantine`; a mail to `SPELLBOOK_RETAIL_MAIL`

## On failure
An invalid file blocks all later days: correct it, clear the failed task. See `docs/runbooks/retail.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import ObjectStoragePath, chain, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, accept_param, publication, warehouse_uri
from include.core.tags import Tag
from include.domains.retail import report
from include.domains.retail.tasks import PARAMS, files_of


@dag(
    schedule=None,
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW | PARAMS | {"accept": accept_param()},
    default_args={"owner": "retail"},
    tags=[Tag.EXAMPLE, Tag.RETAIL],
    doc_md=__doc__,
)
def retail_monolith() -> None:
    """Load, aggregate, check, summarise, mail."""

    @task(pool="database_access")
    def validate(postgres_conn_id: str, **context: Any) -> list[str]:
        """Load the files one after the other; return their days."""
        from include.core.warehouse.load_each import load_each
        from include.domains.retail import pipeline

        files, uri = files_of(context), warehouse_uri(postgres_conn_id)
        with publication(context) as attempt:
            sources = [(ObjectStoragePath(file["source"]), file["partition"]) for file in files]
            load_each(lambda source: pipeline.validate(source[0], uri, source[1], attempt), sources)
        return [file["partition"] for file in files]

    @task(pool="database_access")
    def transform(days: list[str], postgres_conn_id: str, **context: Any) -> None:
        """Publish the sales of the days, one after the other."""
        from include.core.warehouse.load_each import load_each
        from include.domains.retail import pipeline

        with publication(context) as attempt:
            load_each(lambda day: pipeline.transform(warehouse_uri(postgres_conn_id), day, attempt), days)

    days = validate("postgres_default")
    chain(
        transform(days, "postgres_default"),
        *report.check_tasks("postgres_default"),
        *report.mail_tasks(days, "postgres_default", "smtp_default"),
    )


retail_monolith()
