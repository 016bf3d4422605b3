"""Shopping sessions of a wholesaler's customers, worked out by Spark.

## What
Checks what Spark is to be started with, has it group each customer's order lines into sessions, counts every row
that went in, and only then makes the result the one that readers see.

## Inputs
- order lines, CSV: `SPELLBOOK_RETAIL`, by default the recorded ones
- connection `spark_default`: `local[*]`, or a cluster that reaches the same files
- `SPELLBOOK_SPARK_DRIVER_MEMORY`, `…_EXECUTOR_MEMORY`, `…_PARTITIONS`, `…_PACKAGES`
- param `gap_minutes`: how long a customer may pause within a session

## Outputs
- Parquet below `sessions/spark/` in object storage; `current.json` there names the folder that counts
- asset `customer_sessions`

## On failure
The result before stands, and what the run wrote is removed. See `docs/runbooks/big_data_spark.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import (
    Asset,
    Connection,
    ObjectStoragePath,
    Param,
    dag,
    task,
)
from pendulum import datetime

from include.core import settings
from include.core.dag import storage_root
from include.core.tags import Tag
from include.domains.sessions import settings as sessions
from include.domains.sessions.rules import GAP_MINUTES


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params={"gap_minutes": Param(GAP_MINUTES, type="integer", minimum=1, maximum=1440, description="Longest pause.")},
    default_args={"owner": "data-platform"},
    tags=[Tag.SPARK],
    doc_md=__doc__,
)
def big_data_spark() -> None:
    """Check, submit, publish, clean up."""

    @task
    def check_arguments(spark_conn_id: str, **context: Any) -> dict[str, str]:
        """Refuse what would fail late or hang; return the URLs for Spark."""
        from include.domains.sessions import output, submit

        spark = Connection.get(spark_conn_id)
        lines = ObjectStoragePath(settings.RETAIL.read())
        submit.check(lines, spark.host or "", spark.port, spark.extra_dejson.get("deploy-mode"))
        root = storage_root()
        return {
            "input": output.hadoop_url(lines),
            "output": output.hadoop_url(output.folder_of(root, "spark", context["dag_run"].run_id)),
        }

    @task(outlets=[Asset("customer_sessions")])
    def publish(**context: Any) -> None:
        """Account for every row, and let readers see the result."""
        from include.domains.sessions import output

        root = storage_root()
        output.publish(output.folder_of(root, "spark", context["dag_run"].run_id))

    @task(trigger_rule="all_done_setup_success")
    def clean_up(**context: Any) -> None:
        """Remove what the run wrote, unless it was published."""
        from include.domains.sessions import output

        root = storage_root()
        output.discard(output.folder_of(root, "spark", context["dag_run"].run_id))

    checked = check_arguments("spark_default")
    sessionise = SparkSubmitOperator(
        task_id="sessionise",
        conn_id="spark_default",
        name="{{ dag.dag_id }}",
        application=str(sessions.APPLICATION),
        application_args=[
            "--input",
            checked["input"],
            "--output",
            "{{ ti.xcom_pull(task_ids='check_arguments')['output'] }}/try-{{ ti.try_number }}",
            "--gap-minutes",
            "{{ params.gap_minutes }}",
        ],
        driver_memory=sessions.SPARK_DRIVER_MEMORY.read(),
        executor_memory=sessions.SPARK_EXECUTOR_MEMORY.read(),
        packages=sessions.SPARK_PACKAGES.read() or None,
        conf={
            "spark.sql.shuffle.partitions": sessions.SPARK_PARTITIONS.read(),
            "spark.log.level": "WARN",
            "spark.ui.enabled": "false",
        },
        pool="cpu_bound_pool",
    )
    sessionise >> publish() >> clean_up().as_teardown(setups=checked)


big_data_spark()
