from airflow.sdk import DAG, task
from pendulum import datetime

DOC = "## On failure\nClear the run.\n"

with DAG(
    "no_tags", schedule="@daily", start_date=datetime(2024, 1, 1), default_args={"owner": "planted"}, doc_md=DOC
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
