"""Creates the DAG of each source: ``extract >> process >> check >> load``."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from airflow.sdk import (
    DAG,
    Asset,
    Connection,
    CronDataIntervalTimetable,
    ObjectStoragePath,
    get_parsing_context,
    task,
)
from airflow.sdk.exceptions import AirflowSkipException
from pendulum import datetime

from include.core.dag import PREVIEW, accept_param, day_param, publication, storage_root, warehouse_uri
from include.core.sources.errors import SourceError
from include.core.sources.files import SUFFIX, load_source, load_sources
from include.core.tags import Tag

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from include.core.sources.model import Source

DOCUMENTATION = """{description}

## What
Fetches the rows of each day ({timezone}) that ended in the run's data interval from {origin}, checks
them against the contract in `include/domains/sources/{name}.yaml`, and publishes the valid ones.

## Inputs
- {inputs}
- param `day`: one day instead of the data interval's
- param `preview`: show what the run would change, and write nothing

## Outputs
- table `{table}`: key day, {key}; personal data: {personal}
- rejected rows, with file, line and reason: table `quarantine`
- rows as received: `sources/{name}/day=…/` in object storage
- asset `{table}`, if at most {share:.1%} of the rows are invalid

## On failure
The error says what to fix; rows loaded before are unchanged. See `docs/runbooks/process_source_data.md`.
"""


def create_dags(folder: Path, warehouse_conn_id: str, connections: Collection[str] | None = None) -> dict[str, DAG]:
    """Return the DAG of every valid source, by its id; invalid files are skipped.

    A worker that runs a task reads the file of its DAG only.
    """
    if dag_id := get_parsing_context().dag_id:
        name = dag_id.removeprefix("process_").removesuffix("_data")
        try:
            source = load_source(folder / f"{name}{SUFFIX}", connections)
        except SourceError:
            return {}
        return {source.dag_id: create_dag(source, folder, warehouse_conn_id)}
    sources, _ = load_sources(folder, connections)
    return {source.dag_id: create_dag(source, folder, warehouse_conn_id) for source in sources.values()}


def create_dag(source: Source, folder: Path, warehouse_conn_id: str) -> DAG:
    """Return the DAG of one source in ``folder``."""
    start = source.start_date
    with DAG(
        source.dag_id,
        schedule=CronDataIntervalTimetable(source.schedule, timezone="UTC"),
        start_date=datetime(start.year, start.month, start.day, tz="UTC"),
        catchup=False,
        params=PREVIEW
        | {
            "day": day_param(f"One day ({source.timezone}) instead of the data interval's."),
            "accept": accept_param(),
        },
        default_args={"owner": source.owner},
        tags=[Tag.INGEST, Tag.SOURCE],
        description=source.description,
        doc_md=_documentation(source),
    ) as dag:

        @task(pool="source_api")
        def extract(source_conn_id: str, warehouse_conn_id: str, **context: Any) -> list[str]:
            """Fetch the rows of the run's days, or their files, and store them; return the files."""
            from include.core.sources import pipeline
            from include.core.sources.budget import calls_per_minute
            from include.core.sources.client import SourceClient
            from include.core.sources.days import days_of

            run, day = context["dag_run"], context["params"]["day"]
            days = (
                [dt.date.fromisoformat(day)]
                if day
                else days_of(run.data_interval_start, run.data_interval_end, run.run_after, source.zone)
            )
            if not days:
                raise AirflowSkipException(f"no day of {source.timezone} ended in this data interval")
            if source.files:
                return pipeline.extract_files(source, storage_root(), days, run.run_id, ObjectStoragePath)
            client = SourceClient.of(
                Connection.get(source_conn_id),
                source,
                warehouse_uri(warehouse_conn_id),
                calls_per_minute(folder, source_conn_id),
            )
            return pipeline.extract(client, storage_root(), days, run.run_id)

        @task
        def process(raw: list[str]) -> list[str]:
            """Split the rows into valid and rejected ones."""
            from include.core.sources import pipeline

            return pipeline.process(source, [ObjectStoragePath(file) for file in raw])

        @task
        def check(raw: list[str]) -> list[str]:
            """Fail if too many rows of a day are invalid."""
            from include.core.sources import pipeline

            pipeline.check(source, [ObjectStoragePath(file) for file in raw])
            return raw

        @task(pool="database_access", outlets=[Asset(source.table)])
        def load(raw: list[str], warehouse_conn_id: str, **context: Any) -> None:
            """Publish the valid rows and quarantine the rejected ones."""
            from include.core.sources import pipeline

            files = [ObjectStoragePath(file) for file in raw]
            uri = warehouse_uri(warehouse_conn_id)
            with publication(context) as attempt:
                pipeline.load(source, files, uri, attempt)

        load(check(process(extract(source.connection, warehouse_conn_id))), warehouse_conn_id)
    return dag


def _documentation(source: Source) -> str:
    personal = ", ".join(name for name, column in source.columns.items() if column.pii)
    if source.files:
        origin = f"the file `{source.files.name}`"
        inputs = f"folder `{source.files.folder}`: a file for each day"
    else:
        origin = f"`{source.path}` of connection `{source.connection}`"
        inputs = f"connection `{source.connection}`: host, token or key as password"
    return DOCUMENTATION.format(
        **source.model_dump(include={"description", "timezone", "name"}),
        origin=origin,
        inputs=inputs,
        table=source.table,
        key=", ".join(source.key),
        personal=personal or "none",
        share=source.max_bad_share,
    )
