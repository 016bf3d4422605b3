"""## What
Fifty tasks that hold their worker for a while.

## Inputs
None.

## Outputs
None.

## On failure
Run it again.
"""

from __future__ import annotations

import time

from airflow.sdk import DAG, task
from pendulum import datetime

with DAG(
    "crowd",
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "platform"},
    tags=["example"],
    doc_md=__doc__,
    max_active_tasks=64,
) as dag:

    @task(queue="default", pool="default_pool")
    def wait(number: int) -> None:
        """Hold the worker for five seconds."""
        print(f"number {number}")
        time.sleep(5)

    wait.expand(number=list(range(50)))
