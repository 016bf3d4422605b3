from airflow.sdk import dag, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"


@dag(
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
)
def airflow2_names() -> None:
    @task
    def work(**context):
        print(context["execution_date"])

    work()


airflow2_names()
