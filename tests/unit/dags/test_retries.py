"""Which errors end a task at once, which only take time, and that every task has the policy that says so."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, TaskInstanceState, task
from airflow.sdk.bases.sensor import BaseSensorOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.serialization.serialized_objects import DagSerialization
from pendulum import datetime

from devstack.state import REPOSITORY
from include.core.csv_files.dialect import CsvError
from include.core.errors import (
    ConfigurationError,
    MissingInputError,
    PermanentError,
    PermanentUpstreamError,
    TransientUpstreamError,
)
from include.core.ml.errors import ArtifactError, DataError, NoChampionError, RefusedError, ServingError
from include.core.ml.sagemaker.errors import EndpointError, RefusedCallError, ThrottledError
from include.core.sources.errors import PublishGateError
from include.core.warehouse.errors import IncompleteLoadError, LoadError, SchemaMismatchError
from include.policies import RETRY_POLICY, task_policy
from tests.unit.outcome import state_after

OWN = ExceptionRetryPolicy([])


@pytest.mark.parametrize(
    "error",
    [
        ArtifactError,
        ConfigurationError,
        CsvError,
        DataError,
        EndpointError,
        IncompleteLoadError,
        LoadError,
        PermanentUpstreamError,
        PublishGateError,
        RefusedCallError,
        RefusedError,
        SchemaMismatchError,
    ],
)
def test_an_error_that_no_retry_can_help_ends_the_task(error: type[PermanentError]) -> None:
    assert RETRY_POLICY.evaluate(error("no"), 1, 3).action is RetryAction.FAIL


@pytest.mark.parametrize("error", [MissingInputError, NoChampionError])
def test_a_missing_input_is_looked_for_again_each_minute(error: type[MissingInputError]) -> None:
    decision = RETRY_POLICY.evaluate(error("no sales"), 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(minutes=1))


@pytest.mark.parametrize("error", [OSError, ServingError, ThrottledError, TransientUpstreamError, ValueError])
def test_any_other_error_is_tried_again_with_the_tasks_own_delay(error: type[Exception]) -> None:
    assert RETRY_POLICY.evaluate(error("away"), 1, 3).action is RetryAction.DEFAULT


class Patient(BaseSensorOperator):
    """A sensor that sees it at once."""

    def poke(self, context: Any) -> bool:
        del context
        return True


def plain_dag() -> DAG:
    """A DAG that says nothing of retries but in one task, after the policy, which may be applied more than once."""
    with DAG("plain", schedule=None, start_date=datetime(2024, 1, 1)) as dag:

        @task
        def work(number: int = 0) -> None:
            """Nothing."""

        @task(retry_policy=OWN)
        def other() -> None:
            """Nothing."""

        work()
        work.override(task_id="mapped").expand(number=[1, 2])
        Patient(task_id="sensor")
        other()
    for each in dag.tasks * 2:
        task_policy(each)
    return dag


def test_every_task_has_the_policy_and_its_own_one_wins() -> None:
    dag = plain_dag()
    assert {each.task_id: each.retry_policy for each in dag.tasks} == {
        "work": RETRY_POLICY,
        "mapped": RETRY_POLICY,
        "sensor": RETRY_POLICY,
        "other": OWN,
    }
    found = dag.get_task("mapped")
    assert isinstance(found, MappedOperator)
    mapped: Any = found.unmap({"op_kwargs": {"number": 1}})
    assert state_after(mapped, LoadError("no")) is TaskInstanceState.FAILED
    assert state_after(mapped, OSError("away")) is TaskInstanceState.UP_FOR_RETRY
    assert all(each.has_retry_policy for each in DagSerialization.from_dict(DagSerialization.to_dict(dag)).tasks)


def test_a_dag_file_that_is_dropped_in_gets_the_policy() -> None:
    folder = REPOSITORY / "tests" / "gate" / "planted" / "dags"
    dags = DagBag(dag_folder=str(folder / "plain.py")).dags
    assert [each.retry_policy for dag in dags.values() for each in dag.tasks] == [RETRY_POLICY] * len(dags)
