"""Both callbacks at work: a message when it works out, and one when it doesn't.

## What
Does nothing, or fails if told to. Every DAG has both callbacks without a line of code; here they say more.

## Inputs
Param `fail`: whether the task fails.

## Outputs
A message in Slack; if it fails, a mail too.

## On failure
It was told to: trigger it again without `fail`. See `docs/runbooks/notify_example.md`.
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
    on_failure_callback=[OutboxNotifier("It was told to fail by {{ dag_run.conf }}.")],
)
def notify_example() -> None:
    """Work, and tell how it went."""

    @task(retries=1, retry_delay=1)
    def work(**context: Any) -> None:
        """Fail if told to."""
        if context["params"]["fail"]:
            raise ConnectionError("the run was told to fail")

    work()


notify_example()
