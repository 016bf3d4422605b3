"""## What
Says something, then keeps running.

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
    "talker",
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "platform"},
    tags=["example"],
    doc_md=__doc__,
) as dag:

    @task(retries=0)
    def talk() -> None:
        """Print a line and hold the worker for ten minutes."""
        print("the cauldron is heating up")
        time.sleep(600)

    talk()
