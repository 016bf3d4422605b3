from airflow.sdk import DAG, task

from include.tags import Tag

DOC = "## What\n## Inputs\n## Outputs\n## On failure\n"

with DAG("no_start_date", schedule="@daily", default_args={"owner": "planted"}, tags=[Tag.EXAMPLE], doc_md=DOC) as dag:

    @task
    def work():
        """Do nothing."""

    work()
