"""Retail, step 1 of 3: validates the days' files and loads them into the warehouse.

## What
Streams each file into `retail_lines`, with the days in parallel; invalid rows are quarantined. Together with
`retail_transform` and `retail_report` it does what `retail_monolith` does in one DAG; each can be run alone.

## Inputs
- asset `retail_file`, with the days in its event
- param `days`; without it and without an event, every day that has a file
- param `preview`: show what the run would change, and write nothing
- files `online_retail_<day>.csv` in `retail/landed/` of object storage, else in `SPELLBOOK_RETAIL`

## Outputs
- table `retail_lines`: a row for each line of a file; table `quarantine`: rejected rows with line and reason
- asset `retail_lines`, with the days in its event; triggers `retail_transform`

## On failure
The error of the mapped task `load_file` names day, line and reason; other days aren't affected. Correct the file, clear
the task. See `docs/runbooks/retail.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, accept_param, end_preview
from include.core.tags import Tag
from include.domains.retail.datasets import CSV_OPTIONS
from include.domains.retail.tasks import PARAMS, files_of
from spellbook.operators.csv_to_postgres import CsvToPostgresOperator

RETAIL_LINES = Asset("retail_lines")


@dag(
    schedule=[Asset("retail_file")],
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW | PARAMS | {"accept": accept_param()},
    default_args={"owner": "retail"},
    tags=[Tag.RETAIL],
    doc_md=__doc__,
)
def retail_validate() -> None:
    """Find the files, load, publish."""

    @task
    def find_files(**context: Any) -> list[dict[str, str]]:
        """Return the files that this run loads, with their days."""
        return files_of(context)

    @task(outlets=[RETAIL_LINES], trigger_rule="none_failed_min_one_success")
    def publish(files: list[dict[str, str]], **context: Any) -> None:
        """Emit the asset event with the loaded days."""
        end_preview(context)
        context["outlet_events"][RETAIL_LINES].extra = {"days": [file["partition"] for file in files]}

    files = find_files()
    load_file = CsvToPostgresOperator.partial(
        task_id="load_file",
        postgres_conn_id="postgres_default",
        pool="database_access",
        map_index_template="{{ task.partition }}",
        **CSV_OPTIONS,
    ).expand_kwargs(files)
    load_file >> publish(files)


retail_validate()
