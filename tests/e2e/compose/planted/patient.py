"""## What
Twenty waits of an hour, in the triggerer.

## Inputs
None.

## Outputs
None.

## On failure
Run it again.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.sensors.time_delta import TimeDeltaSensor
from airflow.sdk import DAG
from pendulum import datetime

with DAG(
    "patient",
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "platform"},
    tags=["example"],
    doc_md=__doc__,
    max_active_tasks=64,
) as dag:
    for number in range(20):
        TimeDeltaSensor(task_id=f"wait_{number}", delta=timedelta(hours=1), deferrable=True)
