"""Builds the marts from the loaded tables: the dbt project in `include/dbt`, with tasks for each model.

## What
`dbt_build` starts dbt once: it checks source freshness, builds and tests each model, takes the snapshot of support
requests, and generates the documentation. For each model, a task `run` then reports the result of the build, and a task
`test` the results of its tests. When such a task is retried or cleared, it runs dbt for its model only. Finally, the
marts are published as files.

## Inputs
- connection `postgres_default`: tables `weather_data`, `sales_data`, `marketing_data`, `support_data`, `load_log`
- the assets of these four tables: a run starts when each has been updated since the last run
- param `preview`: show what the run would change in each mart, and write nothing

## Outputs
- schema `analytics`: `daily_sales` (incremental: only days loaded since the last build), `campaign_results`,
  `support_resolution`, `weather_months`; `analytics_snapshots.support_status`
- `analytics/<mart>.parquet` in object storage, and asset `analytics_marts`, if all tests pass
- `dbt/docs/index.html`, and the artifacts of each invocation: `dbt/analytics_dbt/<run>/<task>/<try>/`

## On failure
The error names the model, test or source; marts built earlier remain. See `docs/runbooks/analytics_dbt.md`.
"""

from __future__ import annotations

from airflow.sdk import Asset, dag, task
from pendulum import datetime

from include.core.dag import PREVIEW, storage_root, warehouse_uri
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
    params=PREVIEW,
    tags=[Tag.ANALYTICS],
    doc_md=__doc__,
)
def analytics_dbt() -> None:
    """Build, test, publish."""
    build = DbtBuildOperator(task_id="dbt_build", schema=SCHEMA, postgres_conn_id="postgres_default")

    @task(pool="database_access", outlets=[Asset("analytics_marts")])
    def load_data(postgres_conn_id: str) -> dict[str, int]:
        """Publish the marts as Parquet files; return the number of rows of each."""
        from include.domains.analytics.export import export
        from include.domains.analytics.manifest import mart_names

        uri = warehouse_uri(postgres_conn_id)
        return export(uri, SCHEMA, mart_names(), storage_root() / "analytics")

    node_tasks("marts", build) >> load_data("postgres_default")


analytics_dbt()
