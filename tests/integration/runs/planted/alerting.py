"""## What
DAGs that fail in different ways, and say nothing about alerts.

## Inputs
None.

## Outputs
None.

## On failure
That is what they are for.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, TriggerRule, task
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert
from pendulum import datetime

from include.core.warehouse.errors import LoadError
from include.ops.alerts.callbacks import on_deadline
from include.ops.alerts.deadline import RunQueued

SETTINGS: dict[str, Any] = {
    "start_date": datetime(2024, 1, 1, tz="UTC"),
    "default_args": {"owner": "planted"},
    "tags": ["example"],
    "doc_md": __doc__,
}

with DAG("alerting_fails", schedule=None, **SETTINGS):

    @task(task_id="work", retries=1, retry_delay=0.1)
    def fail() -> None:
        """Fail, with a secret in the error."""
        raise ValueError("the cauldron is empty; db_password=open-sesame-1001")

    fail()

with DAG("alerting_permanent", schedule=None, **SETTINGS):

    @task(task_id="work", retries=3)
    def refuse() -> None:
        """Fail with an error that no retry can help."""
        raise LoadError("the same rows are refused again")

    refuse()

with DAG("alerting_killed", schedule=None, **SETTINGS):

    @task(task_id="work", retries=0)
    def die() -> None:
        """End as the kernel ends what takes too much memory."""
        os.kill(os.getpid(), signal.SIGKILL)

    die()

with DAG("alerting_marked", schedule=None, **SETTINGS):

    @task(task_id="work", retries=0)
    def wait() -> None:
        """Run until somebody marks the task as failed."""
        time.sleep(3600)

    wait()

with DAG("alerting_tolerant", schedule=None, **SETTINGS):

    @task(trigger_rule=TriggerRule.ALL_DONE)
    def clean_up() -> None:
        """Succeed whatever happened before."""

    die() >> clean_up()

with DAG("alerting_crowd", schedule=None, **SETTINGS):

    @task(task_id="work", retries=0)
    def fail_each(number: int) -> None:
        """Fail."""
        raise ValueError(f"number {number}")

    fail_each.expand(number=list(range(5)))

with DAG("alerting_recovers", schedule=None, **SETTINGS):

    @task(task_id="work", retries=2, retry_delay=0.1)
    def recover(**context: Any) -> None:
        """Fail on the first try."""
        if context["ti"].try_number == 1:
            raise ValueError("not yet")

    recover()

with DAG(
    "alerting_late",
    schedule=None,
    deadline=DeadlineAlert(
        reference=RunQueued(),
        interval=timedelta(seconds=1),
        callback=AsyncCallback(on_deadline, kwargs={"owner": "planted"}),
    ),
    **SETTINGS,
):

    @task(task_id="work")
    def take_long() -> None:
        """Be done after the deadline."""
        time.sleep(8)

    take_long()

with DAG("alerting_cut_off", schedule=None, **SETTINGS):

    @task(task_id="work", retries=0)
    def fail_alone() -> None:
        """Fail where the warehouse can't be reached: nothing listens on port 9."""
        os.environ["AIRFLOW_CONN_POSTGRES_DEFAULT"] = "postgres://nobody@127.0.0.1:9/none"
        raise ValueError("cut off")

    fail_alone()
