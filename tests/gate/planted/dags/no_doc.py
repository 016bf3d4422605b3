from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

with DAG(
    "no_doc", schedule="@daily", start_date=datetime(2024, 1, 1), default_args={"owner": "planted"}, tags=[Tag.EXAMPLE]
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
