"""## What
A task of the finance team.

## Inputs
None.

## Outputs
None.

## On failure
Run it again.
"""

from __future__ import annotations

from airflow.sdk import DAG, task
from pendulum import datetime

with DAG(
    "urgent",
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "finance"},
    tags=["example"],
    doc_md=__doc__,
) as dag:

    @task(queue="finance_priority", pool="finance")
    def pay() -> None:
        """Do nothing."""

    pay()
