"""Checks that every source can be loaded: its file, its connection and its table.

## What
An invalid file in `include/domains/sources` is an import error of this DAG, which names file, line, field, value and
what is allowed; the DAGs of other sources aren't affected. Each day, an hour before the first source runs, the tables
in the warehouse are compared with the contracts, and missing ones are created.

## Inputs
- `include/domains/sources/*.yaml`
- connection `sources_default`, and others that the files name

## Outputs
- the tables of the sources, created if missing

## On failure
Correct the file that the error names, or migrate the table that doesn't match its source's declaration. See
`docs/runbooks/process_source_data.md`.
"""

from __future__ import annotations

from airflow.sdk import Connection, CronTriggerTimetable, dag, task
from pendulum import datetime

from include.core.dag import NOT_BACKFILLED, warehouse_uri
from include.core.sources.files import require_sources
from include.core.tags import Tag
from include.domains.sources import FOLDER
from include.settings import HTTP_CONNECTIONS

SOURCES = require_sources(FOLDER, HTTP_CONNECTIONS)


@dag(
    schedule=CronTriggerTimetable("0 23 * * *", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    allowed_run_types=NOT_BACKFILLED,
    default_args={"owner": "data-platform"},
    tags=[Tag.SOURCE],
    doc_md=__doc__,
)
def check_sources() -> None:
    """Check connections, check tables."""

    @task
    def check_connections(default_conn_id: str) -> list[str]:
        """Look up the connection of every source; return their ids."""
        conn_ids = {source.connection for source in SOURCES.values()} | {default_conn_id}
        return [Connection.get(conn_id).conn_id for conn_id in sorted(conn_ids)]

    @task(pool="database_access")
    def check_tables(postgres_conn_id: str) -> None:
        """Create missing tables; fail if one doesn't match its source's declaration."""
        from include.core.sources.tables import create_tables

        create_tables(SOURCES.values(), warehouse_uri(postgres_conn_id))

    check_connections("sources_default") >> check_tables("postgres_default")


check_sources()
