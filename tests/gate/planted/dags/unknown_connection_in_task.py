from airflow.sdk import DAG, task
from pendulum import datetime

from include.core.tags import Tag

DOC = "## On failure\nClear the run.\n"

with DAG(
    "unknown_connection_in_task",
    schedule="@daily",
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "planted"},
    tags=[Tag.EXAMPLE],
    doc_md=DOC,
) as dag:

    @task
    def work():
        """Read through a hook."""
        from airflow.providers.postgres.hooks.postgres import PostgresHook

        return PostgresHook("warehouse_default").get_first("SELECT 1")

    work()
