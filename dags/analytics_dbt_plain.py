"""The dbt project in `include/dbt` as two tasks instead of tasks for each model: `dbt_run >> dbt_test`.

## What
Builds all models, then runs all tests, in a separate schema so that it doesn't interfere with `analytics_dbt`.

## Inputs
- connection `postgres_default`: the tables that `analytics_dbt` reads
- triggered manually

## Outputs
- the marts of `analytics_dbt`, in schema `analytics_plain`
- dbt's artifacts of each task: `dbt/analytics_dbt_plain/<run>/<task>/<try>/` in object storage

## On failure
The error names the model or test. See `docs/runbooks/analytics_dbt.md`.
"""

from __future__ import annotations

from airflow.sdk import Asset, dag
from pendulum import datetime

from include.core.tags import Tag
from include.domains.analytics import SOURCES
from spellbook.operators.dbt import DbtOperator


@dag(
    schedule=None,
    start_date=datetime(2024, 1, 1, tz="UTC"),
    max_active_runs=1,
    default_args={"owner": "analytics"},
    tags=[Tag.ANALYTICS],
    doc_md=__doc__,
)
def analytics_dbt_plain() -> None:
    """Build, test."""
    dbt = {"schema": "analytics_plain", "postgres_conn_id": "postgres_default"}
    # `dbt run` builds models only, so tests that read the snapshot are excluded.
    run = DbtOperator(task_id="dbt_run", commands=[["run"]], inlets=[Asset(name) for name in SOURCES], **dbt)
    run >> DbtOperator(task_id="dbt_test", commands=[["test", "--exclude", "resource_type:snapshot"]], **dbt)


analytics_dbt_plain()
