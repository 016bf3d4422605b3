"""## What
A DAG that people start with any conf, and DAGs that start it with conf that would stop the DAG processor.

## Inputs
Any conf.

## Outputs
Asset `conf_read`.

## On failure
That is what they are for.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from airflow.sdk import DAG, Asset, task
from pendulum import datetime

SETTINGS: dict[str, Any] = {
    "start_date": datetime(2024, 1, 1, tz="UTC"),
    "catchup": False,
    "default_args": {"owner": "planted", "retries": 0},
    "tags": ["example"],
    "doc_md": __doc__,
}

with DAG("conf_reader", schedule="@daily", **SETTINGS):

    @task(outlets=[Asset("conf_read")])
    def read(**context: Any) -> None:
        """Fail if the conf says so."""
        if context["dag_run"].conf.get("fail"):
            raise ValueError("the conf says so")

    read()

for name, text in {"large_float": "1e30", "large_integer": "18446744073709551616"}.items():
    with DAG(f"conf_{name}", schedule=None, **SETTINGS):
        conf: Any = f'{{"value": {text}}}'  # the operator parses it
        TriggerDagRunOperator(task_id="start", trigger_dag_id="conf_reader", conf=conf)
