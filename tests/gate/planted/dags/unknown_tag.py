from airflow.sdk import DAG, task
from pendulum import datetime

DOC = "## On failure\nClear the run.\n"

with DAG(
    "unknown_tag",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=["wheather"],
    doc_md=DOC,
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
