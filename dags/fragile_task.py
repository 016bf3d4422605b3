"""A task that fails as often as it is told, to see what retries and alerts do.

## What
Fails `fail_times` times, and waits longer before each new try: 5 minutes, 10, 20, never more than an hour.

## Inputs
Params: `fail_times`; `delay` and `cap` in minutes; `minute`, the seconds that a minute lasts (60 in earnest).

## Outputs
A message for each try that failed and is repeated, and one about the run.

## On failure
It was told to fail more than three times: trigger it again with a smaller `fail_times`. See
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
        "fail_times": Param(0, type="integer", minimum=0, description="How many tries fail."),
        "delay": Param(5, type="number", exclusiveMinimum=0, description="First wait, in minutes."),
        "cap": Param(60, type="number", exclusiveMinimum=0, description="Longest wait, in minutes."),
        "minute": Param(0.2, type="number", exclusiveMinimum=0, description="Seconds that a minute lasts."),
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
        """Fail `fail_times` times; return the number of the try that didn't."""
        number, failures = context["ti"].try_number, context["params"]["fail_times"]
        if number <= failures:
            raise ConnectionError(f"try {number} fails, as do the first {failures}")
        return int(number)

    fragile()


fragile_task()
