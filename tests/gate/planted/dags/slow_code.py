from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

TOTAL = sum(number * number for number in range(3_000_000))
with DAG(
    "slow_code",
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
