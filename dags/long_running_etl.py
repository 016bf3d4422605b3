"""Runs a long job in an external service: starts it once, waits without a worker, publishes the result.

## What
Starts the day's job in the job service, waits in the triggerer until it has finished, loads its result.

## Inputs
- connection `etl_jobs_default`: type `etl_jobs`
- param `day`; without it the day is the first of the run's data interval, or the day before the trigger
- param `preview`: show what the run would change, and write nothing
- param `seconds`: how long the sample job takes

## Outputs
- table `etl_daily_revenue(day, sales_rows, revenue_gbp)`
- asset `etl_daily_revenue`

## On failure
A retry finds the existing job and never starts a second one. If the job failed or timed out, clear `trigger_etl_job`,
which starts a new one. Marking `check_etl_status` as failed cancels the job. See
`docs/runbooks/long_running_etl.md`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import Asset, CronDataIntervalTimetable, Param, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, accept_param, day_param, publication, run_day, warehouse_uri
from include.core.tags import Tag
from spellbook.operators.etl_job import AwaitEtlJobOperator, StartEtlJobOperator

DAY = "params.day or (dag_run.data_interval_start or dag_run.run_after - macros.timedelta(days=1)) | ds"
REQUEST = '{"job": "daily_revenue", "dates": ["{{ ' + DAY + ' }}"], "seconds": {{ params.seconds }}}'


@dag(
    schedule=CronDataIntervalTimetable("@daily", timezone="UTC"),
    start_date=datetime(2010, 12, 1, tz="UTC"),
    catchup=False,
    params=PREVIEW
    | {
        "day": day_param(),
        "accept": accept_param(),
        "seconds": Param(5, type="number", minimum=0, maximum=3600, description="How long the sample job takes."),
    },
    default_args={"owner": "data-platform"},
    tags=[Tag.INGEST],
    doc_md=__doc__,
)
def long_running_etl() -> None:
    """Start, wait, publish."""
    trigger_etl_job = StartEtlJobOperator(
        task_id="trigger_etl_job", etl_job_conn_id="etl_jobs_default", request=REQUEST
    )
    check_etl_status = AwaitEtlJobOperator(
        task_id="check_etl_status",
        etl_job_conn_id="etl_jobs_default",
        job_id="{{ ti.xcom_pull(task_ids='trigger_etl_job') }}",
        timeout=timedelta(hours=6),
        poll_interval=3,
    )

    @task(pool="database_access", outlets=[Asset("etl_daily_revenue")])
    def process_etl_results(job_id: str, etl_job_conn_id: str, postgres_conn_id: str, **context: Any) -> None:
        """Publish the job's result."""
        from include.domains.long_jobs import revenue
        from spellbook.hooks.etl_job import EtlJobHook

        service = EtlJobHook(etl_job_conn_id).get_conn()
        with publication(context) as attempt:
            revenue.load(service, job_id, run_day(context), warehouse_uri(postgres_conn_id), attempt)

    published = process_etl_results(
        "{{ ti.xcom_pull(task_ids='trigger_etl_job') }}", "etl_jobs_default", "postgres_default"
    )
    trigger_etl_job >> check_etl_status >> published


long_running_etl()
