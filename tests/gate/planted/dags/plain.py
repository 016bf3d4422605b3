import datetime

from airflow.sdk import DAG, task

for dag_id in ("plain_one", "plain_two"):
    with DAG(dag_id, schedule=None, start_date=datetime.datetime(2024, 1, 1), tags=["plain"]):

        @task(pool="ours")
        def work():
            """Do nothing."""

        work()
