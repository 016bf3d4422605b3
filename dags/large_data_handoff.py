"""Passes a million rows between tasks without putting any of them in XCom.

## What
Writes order lines to Parquet, computes their amounts, aggregates them by stock code, publishes the totals. Each task
reads and writes object storage in batches and returns a URL; the last one removes the run's files in any case.

## Inputs
- param `rows`: number of order lines; the recorded ones of `include/data/retail` are repeated
- param `preview`: show what the run would change, and write nothing

## Outputs
- table `stock_totals(stock_code, lines, quantity, amount_pence)`
- asset `stock_totals`

## On failure
Clear the failed task, or the run: clearing `load` also writes its files again. `maintenance` removes the files of runs
that couldn't clean up.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Asset, ObjectStoragePath, Param, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, publication, storage_root, warehouse_uri
from include.core.tags import Tag


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW
    | {"rows": Param(1_000_000, type="integer", minimum=1, maximum=100_000_000, description="Order lines.")},
    default_args={"owner": "data-platform"},
    tags=[Tag.EXAMPLE],
    doc_md=__doc__,
)
def large_data_handoff() -> None:
    """Extract, transform, load, clean up."""

    @task
    def extract(**context: Any) -> str:
        """Write the order lines; return the file's URL."""
        from include.core.storage import handoff_folder
        from include.domains.handoff import lines

        run = context["dag_run"]
        return lines.extract(handoff_folder(storage_root(), run.dag_id, run.run_id), context["params"]["rows"])

    @task(pool="cpu_bound_pool")
    def transform(file: str) -> str:
        """Compute the amounts; return the file's URL."""
        from include.domains.handoff import lines

        return lines.transform(ObjectStoragePath(file))

    @task(pool="database_access", outlets=[Asset("stock_totals")])
    def load(file: str, postgres_conn_id: str, **context: Any) -> None:
        """Publish the totals by stock code."""
        from include.domains.handoff import lines

        uri = warehouse_uri(postgres_conn_id)
        with publication(context) as attempt:
            lines.load(ObjectStoragePath(file), uri, attempt)

    @task(trigger_rule="all_done_setup_success")
    def clean_up(**context: Any) -> None:
        """Remove the run's files."""
        from include.core.storage import handoff_folder, remove

        run = context["dag_run"]
        remove(handoff_folder(storage_root(), run.dag_id, run.run_id))

    extracted = extract()
    transformed = transform(extracted)
    loaded = load(transformed, "postgres_default")
    # Set-ups are cleared with the task that needs them, since the files are gone after the run.
    loaded >> clean_up().as_teardown(setups=[extracted, transformed])


large_data_handoff()
