from airflow.sdk import DAG, task
from pendulum import datetime

from include.tags import Tag

DOC = "## What\n## Inputs\n## Outputs\n## On failure\n"


def complain(context):
    """Tell nobody."""


with DAG(
    "callback_in_dag_file",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task(on_failure_callback=complain)
    def work():
        """Do nothing."""

    work()
