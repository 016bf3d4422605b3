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

from spellbook.sensors.http import PacedHttpSensor
from tests.faults import SENSORS
from tests.faults.dag import DEFAULTS


@dag(
    schedule=None,
    max_active_runs=5,
    max_active_tasks=SENSORS,
    doc_md=__doc__,
    **DEFAULTS,
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
