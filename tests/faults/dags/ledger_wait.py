"""Waits in the triggerer until the ledger opens, ten times.

## What
Ten deferred sensors.

## Inputs
Connection `ledger_default`.

## Outputs
None.

## On failure
Clear the failed task.
"""

from __future__ import annotations

from airflow.sdk import dag
from pendulum import datetime

from include.core.tags import Tag
from spellbook.sensors.http import PacedHttpSensor
from tests.faults import SENSORS


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=5,
    max_active_tasks=SENSORS,
    default_args={"owner": "data-platform"},
    tags=[Tag.EXAMPLE],
    doc_md=__doc__,
)
def ledger_wait() -> None:
    """Wait."""
    for number in range(SENSORS):
        PacedHttpSensor(
            task_id=f"wait_{number}",
            http_conn_id="ledger_default",
            endpoint="open/{{ run_id }}",
            poke_interval=2,
            timeout=600,
        )


ledger_wait()
