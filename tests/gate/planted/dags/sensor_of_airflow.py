from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

with DAG(
    "sensor_of_airflow",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task.sensor(mode="reschedule", timeout=600)
    def work():
        """Do nothing."""

    work()
