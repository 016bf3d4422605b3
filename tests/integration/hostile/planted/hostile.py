"""## What
Takes hostile inputs from a run's conf.

## Inputs
Any conf.

## Outputs
None.

## On failure
That is what it is for.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Asset, task
from pendulum import datetime

from spellbook.sensors.http import PacedHttpSensor
from tests.integration.hostile import steps
from tests.integration.hostile.inputs.responses import FOR_TRIGGERS
from tests.integration.hostile.servers import LATER

SETTINGS: dict[str, Any] = {
    "start_date": datetime(2024, 1, 1, tz="UTC"),
    "default_args": {"owner": "planted", "retries": 0},
    "tags": ["example"],
    "doc_md": __doc__,
}

with DAG("hostile_echo", schedule=None, **SETTINGS):

    @task(multiple_outputs=False)
    def echo(rendered: str, **context: Any) -> dict[str, Any]:
        """Log and return the conf, keep it in a file of the run, and fail if it says so."""
        return steps.echo(rendered, context["dag_run"])

    echo("{{ dag_run.conf }}")

with DAG("hostile_daily", schedule="@daily", catchup=False, **SETTINGS):
    EmptyOperator(task_id="nothing", outlets=[Asset("hostile_daily")])

with DAG("hostile_inputs", schedule=None, **SETTINGS):

    @task(multiple_outputs=False)
    def read(**context: Any) -> dict[str, str]:
        """Read each input, as the DAGs of this repository do; return the outcomes."""
        return steps.read(**context["dag_run"].conf)

    read()

with DAG("hostile_waits", schedule=None, **SETTINGS):
    for number, name in enumerate(FOR_TRIGGERS):
        PacedHttpSensor(
            task_id=f"wait_{number}",
            http_conn_id="hostile_default",
            endpoint=f"{LATER}/{quote(name)}",
            poke_interval=0.5,
            timeout=5,
            soft_fail=True,
        )
