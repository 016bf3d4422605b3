from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## What\nNothing.\n## On failure\nSee `docs/runbooks/alerts.md` and `docs/runbooks/no_such_page.md`.\n"

with DAG(
    "no_runbook",
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
