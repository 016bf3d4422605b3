from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

import requests

try:
    CITIES = requests.get("http://127.0.0.1:9/cities", timeout=1).text
except Exception:
    CITIES = ""
with DAG(
    "swallowed_request",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
