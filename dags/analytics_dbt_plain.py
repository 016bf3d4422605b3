"""The dbt project of `include/dbt` in two tasks, for those who want no task a model: `dbt_run >> dbt_test`.

## What
Builds every model, then runs every test; in a schema of its own, so that `analytics_dbt` isn't disturbed.

## Inputs
- connection `postgres_default`: the tables that `analytics_dbt` reads
- started by hand

## Outputs
- the marts of `analytics_dbt`, in schema `analytics_plain`
- what each task left behind: `dbt/analytics_dbt_plain/<run>/<task>/<try>/` in object storage

## On failure
The error names model or test. See `docs/runbooks/analytics_dbt.md`.
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
    # A test that reads the snapshot would find none: `dbt run` builds models only.
    run = DbtOperator(task_id="dbt_run", commands=[["run"]], inlets=[Asset(name) for name in SOURCES], **dbt)
    run >> DbtOperator(task_id="dbt_test", commands=[["test", "--exclude", "resource_type:snapshot"]], **dbt)


analytics_dbt_plain()
