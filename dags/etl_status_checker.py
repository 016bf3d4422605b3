"""Compares two ways to wait for `long_running_etl` without occupying a worker.

## What
Triggers the day's run of `long_running_etl` if it doesn't exist, waits for its last task with one `ExternalTaskSensor`
in reschedule mode and a deferrable one, then logs the published revenue.

## Inputs
- the run of `long_running_etl` with the same logical date, triggered if missing
- table `etl_daily_revenue`

## Outputs
- the task's log only

## On failure
The error of `wait_…` says whether the other run failed or the sensor timed out: fix that run, then clear the sensor.
Sensors require runs with the same logical date; to depend on data, schedule on the asset `etl_daily_revenue`. See
`docs/runbooks/etl_status_checker.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.providers.standard.sensors.external_task import ExternalTaskSensor
from airflow.sdk import Asset, CronDataIntervalTimetable, dag, task
from pendulum import datetime

from include.core.dag import run_day, warehouse_uri
from include.core.tags import Tag

ETL = "long_running_etl"
LAST_TASK = "process_etl_results"
PATIENCE = timedelta(hours=7)  # an hour more than the job's timeout
DAY = "(dag_run.data_interval_start or dag_run.run_after - macros.timedelta(days=1)) | ds"


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    default_args={"owner": "data-platform"},
    tags=[Tag.EXAMPLE],
    doc_md=__doc__,
)
def etl_status_checker() -> None:
    """Trigger, wait, report."""
    trigger_if_missing = TriggerDagRunOperator(
        task_id="trigger_if_missing",
        trigger_dag_id="long_running_etl",
        logical_date="{{ dag_run.logical_date or dag_run.run_after }}",
        conf={"day": "{{ " + DAY + " }}"},
        skip_when_already_exists=True,
        fail_when_dag_is_paused=True,
    )
    wait_rescheduled = ExternalTaskSensor(
        task_id="wait_rescheduled",
        external_dag_id=ETL,
        external_task_id=LAST_TASK,
        failed_states=["failed", "upstream_failed"],
        mode="reschedule",
        deferrable=False,
        poke_interval=5,
        timeout=PATIENCE.total_seconds(),
        trigger_rule="none_failed",
    )
    wait_deferred = ExternalTaskSensor(
        task_id="wait_deferred",
        external_dag_id=ETL,
        external_task_id=LAST_TASK,
        failed_states=["failed", "upstream_failed"],
        deferrable=True,
        poke_interval=5,
        timeout=PATIENCE.total_seconds(),
        trigger_rule="none_failed",
    )

    @task(inlets=[Asset("etl_daily_revenue")])
    def report_revenue(postgres_conn_id: str, **context: Any) -> None:
        """Log the revenue that the other DAG published for the day."""
        from include.domains.long_jobs import revenue

        day = run_day(context)
        print(f"{day}: {revenue.published(warehouse_uri(postgres_conn_id), day)}")

    trigger_if_missing >> [wait_rescheduled, wait_deferred] >> report_revenue("postgres_default")


etl_status_checker()
