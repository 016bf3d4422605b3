"""Marts over the tables that the other DAGs load: the dbt project of `include/dbt`, a task a model.

## What
`dbt_build` starts dbt once: it checks that the sources are fresh, builds each model and runs its tests right after it,
keeps the history of support requests, and writes the documentation. Each model then has a task `run` with its result,
and a task `test` with that of its tests; retried or cleared, such a task runs dbt for its model alone. Last, the marts
are published as files.

## Inputs
- connection `postgres_default`: tables `weather_data`, `sales_data`, `marketing_data`, `support_data`, `load_log`
- starts when each of the four tables' assets has been published since the last run

## Outputs
- schema `analytics`: `daily_sales` (made anew by day, only where a load was committed since), `campaign_results`,
  `support_resolution`, `weather_months`; `analytics_snapshots.support_status`
- `analytics/<mart>.parquet` in object storage, and asset `analytics_marts`, when every test has passed
- `dbt/docs/index.html`, and what each start of dbt left behind: `dbt/analytics_dbt/<run>/<task>/<try>/`

## On failure
The error names model, test or source; marts that were built before stand. See `docs/runbooks/analytics_dbt.md`.
"""

from __future__ import annotations

from airflow.sdk import (
    Asset,
    dag,
    task,
)
from pendulum import datetime

from include.core.dag import storage_root, warehouse_uri
from include.core.tags import Tag
from include.domains.analytics import SOURCES
from spellbook.operators.dbt import DbtBuildOperator, node_tasks

SCHEMA = "analytics"


@dag(
    schedule=[Asset(name) for name in SOURCES],
    start_date=datetime(2024, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args={"owner": "analytics"},
    tags=[Tag.ANALYTICS],
    doc_md=__doc__,
)
def analytics_dbt() -> None:
    """Build and test, publish."""
    build = DbtBuildOperator(task_id="dbt_build", schema=SCHEMA, postgres_conn_id="postgres_default")

    @task(pool="database_access", outlets=[Asset("analytics_marts")])
    def load_data(postgres_conn_id: str) -> dict[str, int]:
        """Publish the marts as Parquet files; return the rows of each."""
        from include.domains.analytics.export import export
        from include.domains.analytics.manifest import mart_names

        uri = warehouse_uri(postgres_conn_id)
        return export(uri, SCHEMA, mart_names(), storage_root() / "analytics")

    node_tasks("marts", build) >> load_data("postgres_default")


analytics_dbt()
