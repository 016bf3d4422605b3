"""## What
Fails, without configuring alerts.

## Inputs
None.

## Outputs
None.

## On failure
It is meant to fail.
"""

from __future__ import annotations

from airflow.sdk import DAG, task
from pendulum import datetime

with DAG(
    "silent",
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "planted"},
    tags=["example"],
    doc_md=__doc__,
) as dag:

    @task(retries=0)
    def work() -> None:
        """Fail."""
        raise ValueError("the cauldron is empty")

    work()
