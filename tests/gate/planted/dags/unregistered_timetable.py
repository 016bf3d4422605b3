from airflow.sdk import DAG, CronTriggerTimetable, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"


class Lunchtime(CronTriggerTimetable):
    """A timetable that no plugin registers."""


with DAG(
    "unregistered_timetable",
    schedule=Lunchtime("0 12 * * *", timezone="UTC"),
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task
    def work():
        """Do nothing."""

    work()
