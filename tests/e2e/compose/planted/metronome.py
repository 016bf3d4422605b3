"""## What
A run every minute.

## Inputs
None.

## Outputs
None.

## On failure
Nothing: the next comes in a minute.
"""

from __future__ import annotations

from airflow.sdk import DAG, CronTriggerTimetable, task
from pendulum import datetime

with DAG(
    "metronome",
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "platform"},
    tags=["example"],
    doc_md=__doc__,
    is_paused_upon_creation=False,
) as dag:

    @task
    def tick() -> None:
        """Do nothing, in time."""

    tick()
