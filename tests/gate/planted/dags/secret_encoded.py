from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

import base64
import json
import os

CONNECTION = json.loads(os.environ.get("AIRFLOW_CONN_POSTGRES_DEFAULT", "{}"))
with DAG(
    "secret_encoded",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task
    def work(authorization):
        """Do nothing."""

    user, password = CONNECTION.get("login"), CONNECTION.get("password")
    work(base64.b64encode(f"{user}:{password}".encode()).decode())
