from datetime import timedelta

from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"


async def call_us(context):
    """Tell nobody."""


with DAG(
    "deadline_in_dag_file",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
    deadline=DeadlineAlert(DeadlineReference.DAGRUN_QUEUED_AT, timedelta(hours=1), AsyncCallback(call_us)),
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
