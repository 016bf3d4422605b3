"""Computes the shopping sessions of a wholesaler's customers with Spark.

## What
Checks Spark's configuration and input, groups each customer's order lines into sessions, verifies that every input row
is accounted for, and only then publishes the result.

## Inputs
- order lines, CSV: `SPELLBOOK_RETAIL`, by default the recorded data
- connection `spark_default`: `local[*]`, or a cluster that can read the same files
- `SPELLBOOK_SPARK_DRIVER_MEMORY`, `…_EXECUTOR_MEMORY`, `…_PARTITIONS`, `…_PACKAGES`
- param `gap_minutes`: the longest pause within a session

## Outputs
- Parquet below `sessions/spark/` in object storage; `current.json` names the folder of the published result
- asset `customer_sessions`

## On failure
The previous result remains, and the files of the failed run are removed. See `docs/runbooks/big_data_spark.md`.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.apache.spark.operators.spark_submit import SparkSubmitOperator
from airflow.sdk import Asset, Connection, ObjectStoragePath, dag, task
from pendulum import datetime

from include.core import settings
from include.core.tags import Tag
from include.domains.sessions import settings as sessions
from include.domains.sessions.tasks import PARAMS, clean_up, program_arguments, publish, run_folder


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    params=PARAMS,
    default_args={"owner": "data-platform"},
    tags=[Tag.SPARK],
    doc_md=__doc__,
)
def big_data_spark() -> None:
    """Check, submit, publish, clean up."""

    @task
    def check_arguments(spark_conn_id: str, **context: Any) -> dict[str, str]:
        """Reject configuration that would fail late or hang; return the URLs for Spark."""
        from include.domains.sessions import checks, output

        lines = ObjectStoragePath(settings.RETAIL.read())
        checks.check_spark(lines, Connection.get(spark_conn_id))
        return {"input": output.hadoop_url(lines), "output": output.hadoop_url(run_folder("spark", context))}

    checked = check_arguments("spark_default")
    sessionise = SparkSubmitOperator(
        task_id="sessionise",
        conn_id="spark_default",
        name="{{ dag.dag_id }}",
        application=str(sessions.APPLICATION),
        application_args=program_arguments(checked),
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
    published = publish.override(outlets=[Asset("customer_sessions")])("spark")
    sessionise >> published >> clean_up("spark").as_teardown(setups=checked)


big_data_spark()
