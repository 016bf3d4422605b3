"""What to write instead of what Airflow 3 removed; ruff knows the rest."""

from __future__ import annotations

CONTEXT = {
    "conf": "use `from airflow.configuration import conf`",
    "execution_date": "use `logical_date`, which is None in a run without a date",
    "next_ds": "use `data_interval_end`",
    "next_ds_nodash": "use `data_interval_end`",
    "next_execution_date": "use `data_interval_end`",
    "prev_ds": "use `macros.ds_add(ds, -1)` if the schedule is daily",
    "prev_ds_nodash": "use `macros.ds_add(ds, -1)` if the schedule is daily",
    "prev_execution_date": "compute it from `logical_date` and the schedule",
    "prev_execution_date_success": "use `prev_data_interval_start_success`",
    "tomorrow_ds": "use `macros.ds_add(ds, 1)`",
    "tomorrow_ds_nodash": "use `macros.ds_add(ds, 1) | replace('-', '')`",
    "triggering_dataset_events": "use `triggering_asset_events`",
    "yesterday_ds": "use `macros.ds_add(ds, -1)`",
    "yesterday_ds_nodash": "use `macros.ds_add(ds, -1) | replace('-', '')`",
}
"""Variables of a task's context and of templates."""

RENAMED = {
    "execution_date": "logical_date",
    "prev_execution_date_success": "prev_data_interval_start_success",
    "triggering_dataset_events": "triggering_asset_events",
}
"""Variables that only have another name."""

IN_TEMPLATES = RENAMED | {
    "tomorrow_ds": "macros.ds_add(ds, 1)",
    "yesterday_ds": "macros.ds_add(ds, -1)",
}
"""Variables of templates, and what has the same value."""

NO_SLA = "use `deadline=DeadlineAlert(…)` of the DAG, see docs/alerts.md"
ARGUMENTS = {
    "default_view": "remove it",
    "orientation": "remove it",
    "provide_context": "remove it: a function is always given the context",
    "sla": NO_SLA,
    "sla_miss_callback": NO_SLA,
}
"""Arguments of DAGs and operators that ruff reports without saying what to do."""

DAYS_AGO = "use a fixed date, such as `pendulum.datetime(2024, 1, 1, tz='UTC')`"
TASK_GROUP = "use a task group, `from airflow.sdk import TaskGroup`"
SQL = "use `SQLExecuteQueryOperator` of `airflow.providers.common.sql.operators.sql`, with `conn_id`"

MODULES = {
    "airflow.contrib": "use the module of its provider, below `airflow.providers`",
    "airflow.datasets": "use `from airflow.sdk import Asset`",
    "airflow.operators.subdag": TASK_GROUP,
    "airflow.operators.subdag_operator": TASK_GROUP,
    "airflow.providers.amazon.aws.operators.redshift_sql": SQL,
    "airflow.providers.mysql.operators.mysql": SQL,
    "airflow.providers.postgres.operators.postgres": SQL,
    "airflow.providers.snowflake.operators.snowflake": SQL,
}
"""Modules that are gone."""

CONNECTIONS = ("postgres_conn_id", "mysql_conn_id", "snowflake_conn_id", "redshift_conn_id", "mssql_conn_id")
"""Arguments of the SQL operators of single databases, which are ``SQLExecuteQueryOperator`` now."""
SQL_OPERATORS = (
    "PostgresOperator",
    "MySqlOperator",
    "SnowflakeOperator",
    "RedshiftSQLOperator",
    "MsSqlOperator",
    "SQLExecuteQueryOperator",
)
OF_RUNS = {f"{name}.execution_date": "use `dag_run.logical_date`" for name in ("dag_run", "task_instance", "ti")}
"""Attributes in templates."""
