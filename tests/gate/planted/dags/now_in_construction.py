from airflow.sdk import DAG, task

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

import datetime

with DAG(
    "now_in_construction",
    schedule="@daily",
    start_date=datetime.datetime.now(),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
