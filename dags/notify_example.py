"""Demonstrates success and failure callbacks with custom messages.

## What
Succeeds, or fails if the param `fail` is set. A cluster policy gives every DAG both callbacks;
here they have additional text.

## Inputs
Param `fail`: whether the task fails.

## Outputs
A message in Slack; on failure, also a mail.

## On failure
The param `fail` was set: trigger the DAG again without it. See `docs/runbooks/notify_example.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import CronTriggerTimetable, Param, dag, task
from pendulum import datetime

from include.core.tags import Tag
from spellbook.notifiers.outbox import OutboxNotifier


@dag(
    schedule=CronTriggerTimetable("0 7 * * 1", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    params={"fail": Param(False, type="boolean", description="Whether the task fails.")},
    default_args={"owner": "data-platform"},
    tags=[Tag.EXAMPLE],
    doc_md=__doc__,
    on_success_callback=[OutboxNotifier("It worked in the run of {{ dag_run.run_after | ds }}.")],
    on_failure_callback=[OutboxNotifier("The run's conf is {{ dag_run.conf }}.")],
)
def notify_example() -> None:
    """Succeed or fail, and send a message."""

    @task(retries=1, retry_delay=1)
    def work(**context: Any) -> None:
        """Fail if the param `fail` is set."""
        if context["params"]["fail"]:
            raise ConnectionError("the param fail is set")

    work()


notify_example()
