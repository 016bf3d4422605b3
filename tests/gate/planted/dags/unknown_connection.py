from airflow.sdk import DAG
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

from airflow.providers.common.sql.operators.sql import SQLExecuteQueryOperator

with DAG(
    "unknown_connection",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:
    SQLExecuteQueryOperator(task_id="query", conn_id="warehouse", sql="SELECT 1")
