"""Delivers the alerts that wait, and finds what no run can tell.

## What
Once a minute: takes pending alerts into the outbox, asks the warehouse which dataset is late or was loaded empty, and
sends what waits, in order, with growing pauses to a channel that fails.

## Inputs
- connections `postgres_default` (the outbox), `slack_default`, `smtp_default`
- Variables `alert_…`: alerts that were stored while the warehouse was away, or by the scheduler
- `include/ops/alerts/routing.yaml`, `include/ops/alerts/silences.yaml`

## Outputs
Messages; tables `alert_outbox` and `alert_failure`.

## On failure
Nothing is lost: what isn't sent waits for the next minute. It sends no alert about itself; Prometheus does
(AlertOutboxOld). See `docs/runbooks/alerts_drain.md`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import CronTriggerTimetable, dag, task
from pendulum import datetime

from include.core.dag import NOT_BACKFILLED
from include.core.tags import Tag


@dag(
    schedule=CronTriggerTimetable("* * * * *", timezone="UTC"),
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    allowed_run_types=NOT_BACKFILLED,
    default_args={"owner": "data-platform"},
    tags=[Tag.MONITORING],
    doc_md=__doc__,
)
def alerts_drain() -> None:
    """Send what waits."""

    @task(retries=1, retry_delay=10, execution_timeout=timedelta(minutes=5))
    def drain_outbox() -> None:
        """Do one round, and write into the log what it did."""
        from include.datasets import DATASETS
        from include.ops.alerts.drain import drain

        drain(DATASETS)

    drain_outbox()


alerts_drain()
