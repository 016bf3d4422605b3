"""## What
A task that runs until it is told to end, and then adds a row.

## Inputs
The file `brewed` in the volume `storage`; connection `postgres_default`.

## Outputs
Table `brews`.

## On failure
Run it again.
"""

from __future__ import annotations

import time
from pathlib import Path

from airflow.sdk import DAG, Connection, task
from pendulum import datetime

with DAG(
    "brew",
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "platform"},
    tags=["example"],
    doc_md=__doc__,
) as dag:

    @task
    def brew(postgres_conn_id: str) -> None:
        """Hold the worker, then add a row."""
        import psycopg

        while not Path("/opt/airflow/storage/brewed").exists():
            time.sleep(1)
        with psycopg.connect(Connection.get(postgres_conn_id).get_uri()) as session:
            session.execute("CREATE TABLE IF NOT EXISTS brews (at timestamptz DEFAULT now())")
            session.execute("INSERT INTO brews DEFAULT VALUES")

    brew("postgres_default")
