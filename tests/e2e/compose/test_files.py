"""A file dropped into ``dags/`` is in the UI soon; a broken one affects no other DAG."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from devstack.api import Airflow
from tests.e2e.compose.stack import Compose, finish, soon, trigger
from tests.e2e.dags import DAG_IDS

SPELL = '''"""## What
A dropped spell.

## Inputs
None.

## Outputs
None.

## On failure
Run it again.
"""

from __future__ import annotations

from datetime import datetime

from airflow.sdk import DAG, task

with DAG(
    "dropped",
    schedule=None,
    start_date=datetime(2024, 1, 1),
    default_args={"owner": "data-platform"},
    tags=["example"],
    doc_md=__doc__,
):

    @task
    def cast() -> str:
        """Cast it."""
        return "cast"

    cast()
'''


def test_a_new_file_becomes_a_dag_and_runs(drop: Callable[[str, str], None], airflow: Airflow) -> None:
    drop("dropped.py", SPELL)
    soon(lambda: airflow.dag("dropped") is not None, "the DAG `dropped` is listed")
    assert finish(airflow, "dropped", trigger(airflow, "dropped")) == "success"


def test_forty_runs_can_be_triggered_at_once(drop: Callable[[str, str], None], airflow: Airflow) -> None:
    """The DAG is paused: its runs stay queued."""
    drop("burst.py", SPELL.replace('"dropped"', '"burst"'))
    soon(lambda: airflow.dag("burst") is not None, "the DAG `burst` is listed")
    with ThreadPoolExecutor(40) as pool:
        started = list(pool.map(lambda _: airflow.post("/dags/burst/dagRuns", {"logical_date": None}), range(40)))
    assert {run["state"] for run in started} == {"queued"}


def test_a_broken_file_is_one_import_error_and_affects_no_other_dag(
    drop: Callable[[str, str], None], airflow: Airflow
) -> None:
    drop("broken.py", "from airflow.sdk import DAG\n\nDAG('broken', schedule_interval='@daily')\n")
    soon(lambda: "broken.py" in airflow.import_errors(), "the import error is listed")
    errors = airflow.import_errors()
    assert set(errors) == {"broken.py"}
    assert "schedule_interval" in errors["broken.py"]["stack_trace"]
    assert set(airflow.dag_ids()) >= set(DAG_IDS)
    assert finish(airflow, "my_first_spell", trigger(airflow, "my_first_spell")) == "success"


@pytest.mark.weekly
def test_the_gate_passes_in_the_container(compose: Compose) -> None:
    process = compose.run("run", "--rm", "--no-TTY", "cli", "gate", check=False)
    assert process.returncode == 0, process.stdout[-3000:]
