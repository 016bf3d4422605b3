"""## What
Loses its task, misses its deadline, and has a callback that fails.

## Inputs
None.

## Outputs
None.

## On failure
It is meant to fail.
"""

from __future__ import annotations

import os
import signal
import time
from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert
from pendulum import datetime

from include.ops.alerts.callbacks import on_deadline
from include.ops.alerts.deadline import RunQueued


def fail(_context: object) -> None:
    """Fail."""
    raise ValueError("the callback fails")


with DAG(
    "mishap",
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "planted"},
    tags=["example"],
    doc_md=__doc__,
    on_failure_callback=fail,
    deadline=DeadlineAlert(RunQueued(), timedelta(seconds=1), AsyncCallback(on_deadline)),
) as dag:

    @task(retries=0)
    def work() -> None:
        """End the process that supervises this one."""
        time.sleep(2)
        os.kill(os.getppid(), signal.SIGKILL)

    work()
