from airflow.sdk import DAG
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

from airflow.operators.python import PythonOperator

with DAG(
    "deprecated_import",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:
    PythonOperator(task_id="work", python_callable=print)
