"""Delivers pending alerts, and raises those that no run can raise itself.

## What
Runs when something waits, which the triggerer checks every 20 seconds. Moves pending alerts into the outbox, checks the
warehouse for datasets that are late or were loaded empty, and sends the messages in the outbox in order. If a channel
fails, it is retried at growing intervals.

## Inputs
- connections `postgres_default` (the outbox), `slack_default`, `smtp_default`
- asset `alerts_waiting`, whose watcher starts the runs
- Variables `alert_…`: alerts that were stored by the scheduler, or while the warehouse was unavailable
- `include/ops/alerts/routing.yaml`, `include/ops/alerts/silences.yaml`

## Outputs
Messages; tables `alert_outbox`, `alert_failure` and `alert_drain`.

## On failure
The error names what could not be done; everything else was. Nothing is lost: it is repeated a minute later. This DAG
sends no alert about itself; Prometheus does (AlertsNotDrained). See `docs/runbooks/alerts_drain.md`.
"""

from __future__ import annotations

from datetime import timedelta

from airflow.sdk import Asset, AssetWatcher, dag, task
from pendulum import datetime

from include.core.tags import Tag
from spellbook.triggers.alerts_waiting import AlertsWaitingTrigger

ALERTS_WAITING = Asset("alerts_waiting", watchers=[AssetWatcher(name="alerts_waiting", trigger=AlertsWaitingTrigger())])


@dag(
    schedule=[ALERTS_WAITING],
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    is_paused_upon_creation=False,
    default_args={"owner": "data-platform"},
    tags=[Tag.MONITORING],
    doc_md=__doc__,
)
def alerts_drain() -> None:
    """Send the pending alerts."""

    @task(retries=1, retry_delay=10, execution_timeout=timedelta(minutes=5))
    def drain_outbox() -> None:
        """Process the outbox once, and log the result."""
        from include.datasets import DATASETS
        from include.ops.alerts.drain import drain

        drain(DATASETS)

    drain_outbox()


alerts_drain()
