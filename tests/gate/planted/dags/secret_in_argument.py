from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

import json
import os

CONNECTION = json.loads(os.environ.get("AIRFLOW_CONN_POSTGRES_DEFAULT", "{}"))
with DAG(
    "secret_in_argument",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task
    def work(password):
        """Do nothing."""

    work(CONNECTION.get("password"))
