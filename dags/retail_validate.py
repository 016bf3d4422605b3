"""Retail, first of three: the days' files into the warehouse, each row checked.

## What
Streams each file into `retail_lines`, days side by side; rows that don't fit are put aside. Together with
`retail_transform` and `retail_report` it does what `retail_monolith` does in one DAG; each can be run alone.

## Inputs
- asset `retail_file`, with the days that arrived
- param `days`; without it and without an event, every day that there is a file of
- files `online_retail_<day>.csv` in `retail/landed/` of object storage, else in `SPELLBOOK_RETAIL`

## Outputs
- table `retail_lines`: a row a line; table `quarantine`: refused rows with line and reason
- asset `retail_lines`, with the days: starts `retail_transform`

## On failure
The mapped `load_file` says which day, line and reason; the other days stand. Clear it when the file is corrected. See
`docs/runbooks/retail.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, ObjectStoragePath, Param, dag, task
from pendulum import datetime

from include.core.dag import storage_root
from include.core.settings import RETAIL
from include.core.tags import Tag
from include.domains.retail.datasets import READING
from include.domains.retail.files import DAYS, LANDED
from spellbook.operators.csv_to_postgres import CsvToPostgresOperator

RETAIL_LINES = Asset("retail_lines")


@dag(
    schedule=[Asset("retail_file")],
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params={"days": Param(**DAYS)},
    default_args={"owner": "retail"},
    tags=[Tag.RETAIL],
    doc_md=__doc__,
)
def retail_validate() -> None:
    """Find, load, tell."""

    @task
    def find_files(**context: Any) -> list[dict[str, str]]:
        """Return the files that this run is about, with their days."""
        from include.domains.retail import files

        events = context["triggering_asset_events"].values()
        asked = files.days_asked(context["params"]["days"], [event.extra for found in events for event in found])
        landed = storage_root() / LANDED
        return files.find([landed, ObjectStoragePath(RETAIL.read())], asked)

    @task(outlets=[RETAIL_LINES])
    def publish(files: list[dict[str, str]], **context: Any) -> None:
        """Tell which days are there."""
        context["outlet_events"][RETAIL_LINES].extra = {"days": [file["partition"] for file in files]}

    files = find_files()
    load_file = CsvToPostgresOperator.partial(
        task_id="load_file",
        postgres_conn_id="postgres_default",
        pool="database_access",
        map_index_template="{{ task.partition }}",
        **READING,
    ).expand_kwargs(files)
    load_file >> publish(files)


retail_validate()
