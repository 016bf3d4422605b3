"""A task that fails a given number of times, to demonstrate retries and alerts.

## What
Fails `fail_times` times, with exponential back-off: 5 minutes, 10, 20, at most an hour.

## Inputs
Params: `fail_times`; `delay` and `cap` in minutes; `minute`, the length of a minute in seconds (60 for real time).

## Outputs
A message for each failed try that is retried, and one about the run.

## On failure
`fail_times` was more than three, the number of retries: trigger the DAG again with a smaller value. See
`docs/runbooks/fragile_task.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Param, dag, task
from pendulum import datetime

from include.core.tags import Tag
from include.ops.alerts.callbacks import on_task_retry
from spellbook.retries import BackoffInParams


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    params={
        "fail_times": Param(0, type="integer", minimum=0, maximum=100, description="Number of tries that fail."),
        "delay": Param(5, type="number", exclusiveMinimum=0, maximum=1440, description="First wait, in minutes."),
        "cap": Param(60, type="number", exclusiveMinimum=0, maximum=1440, description="Longest wait, in minutes."),
        "minute": Param(
            0.2, type="number", exclusiveMinimum=0, maximum=60, description="Length of a minute in seconds."
        ),
    },
    default_args={"owner": "data-platform"},
    tags=[Tag.EXAMPLE],
    doc_md=__doc__,
)
def fragile_task() -> None:
    """Fail, wait, try again."""

    @task(
        retries=3,
        retry_delay=timedelta(minutes=5),
        retry_exponential_backoff=2.0,
        max_retry_delay=timedelta(hours=1),
        retry_policy=BackoffInParams(),
        on_retry_callback=[on_task_retry],
    )
    def fragile(**context: Any) -> int:
        """Fail `fail_times` times; return the number of the try that succeeded."""
        number, failures = context["ti"].try_number, context["params"]["fail_times"]
        if number <= failures:
            raise ConnectionError(f"try {number} failed: fail_times is {failures}")
        return int(number)

    fragile()


fragile_task()
