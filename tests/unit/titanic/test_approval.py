"""An approval that times out."""

from __future__ import annotations

from typing import Any

from airflow.dag_processing.dagbag import DagBag
from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.sdk import TaskInstanceState

from devstack.state import REPOSITORY
from tests.unit.outcome import state_after


def test_a_timed_out_approval_is_not_retried() -> None:
    bag = DagBag(dag_folder=str(REPOSITORY / "dags" / "titanic_ml_pipeline.py"))
    approve: Any = bag.dags["titanic_ml_pipeline"].get_task("approve_model")
    assert state_after(approve, HITLTimeoutError("nobody")) is TaskInstanceState.FAILED
    assert state_after(approve, OSError("away")) is TaskInstanceState.UP_FOR_RETRY
