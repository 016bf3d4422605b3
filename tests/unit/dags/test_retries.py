"""Which errors fail a task at once, which are retried, and that every task has this policy."""

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
from include import house_rules
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
from include.core.warehouse.errors import IncompleteLoadError, LoadError, NotMigratedError, SchemaMismatchError
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
def test_a_permanent_error_fails_the_task(error: type[PermanentError]) -> None:
    assert RETRY_POLICY.evaluate(error("no"), 1, 3).action is RetryAction.FAIL


@pytest.mark.parametrize("error", [MissingInputError, NoChampionError, NotMigratedError])
def test_a_missing_input_is_retried_every_minute(error: type[MissingInputError]) -> None:
    decision = RETRY_POLICY.evaluate(error("no sales"), 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(minutes=1))


@pytest.mark.parametrize(
    ("params", "action"),
    [({"preview": True}, RetryAction.FAIL), ({"preview": False}, RetryAction.RETRY), ({}, RetryAction.RETRY)],
)
def test_a_preview_does_not_wait_for_its_input(params: dict[str, bool], action: RetryAction) -> None:
    context: Any = {"params": params}
    assert RETRY_POLICY.evaluate(MissingInputError("no sales"), 1, 3, context).action is action


@pytest.mark.parametrize("error", [OSError, ServingError, ThrottledError, TransientUpstreamError, ValueError])
def test_any_other_error_is_retried_with_the_tasks_own_delay(error: type[Exception]) -> None:
    assert RETRY_POLICY.evaluate(error("away"), 1, 3).action is RetryAction.DEFAULT


class InstantSensor(BaseSensorOperator):
    """A sensor whose condition is already true."""

    def poke(self, context: Any) -> bool:
        del context
        return True


def plain_dag() -> DAG:
    """A DAG that sets retries in one task only, after the policy, which may be applied more than once."""
    with DAG("plain", schedule=None, start_date=datetime(2024, 1, 1)) as dag:

        @task
        def work(number: int = 0) -> None:
            """Nothing."""

        @task(retry_policy=OWN)
        def other() -> None:
            """Nothing."""

        work()
        work.override(task_id="mapped").expand(number=[1, 2])
        InstantSensor(task_id="sensor")
        other()
    for operator in dag.tasks * 2:
        task_policy(operator)
    return dag


def test_a_mapped_task_without_a_timeout_gets_the_default() -> None:
    with DAG("mapped", schedule=None, start_date=datetime(2024, 1, 1)) as dag:

        @task
        def work(number: int) -> None:
            """Nothing."""

        work.expand(number=[1, 2])
        work.override(task_id="endless", execution_timeout=None).expand(number=[1, 2])
    mapped: Any = dag.get_task("work")
    assert mapped.unmap({"op_kwargs": {"number": 1}}).execution_timeout
    assert [problem.message for problem in house_rules.timeouts(dag)] == ["task endless: no execution_timeout"]


def test_every_task_has_the_policy_unless_it_has_its_own() -> None:
    dag = plain_dag()
    assert {op.task_id: op.retry_policy for op in dag.tasks} == {
        "work": RETRY_POLICY,
        "mapped": RETRY_POLICY,
        "sensor": RETRY_POLICY,
        "other": OWN,
    }
    mapped_operator = dag.get_task("mapped")
    assert isinstance(mapped_operator, MappedOperator)
    mapped: Any = mapped_operator.unmap({"op_kwargs": {"number": 1}})
    assert state_after(mapped, LoadError("no")) is TaskInstanceState.FAILED
    assert state_after(mapped, OSError("away")) is TaskInstanceState.UP_FOR_RETRY
    assert all(op.has_retry_policy for op in DagSerialization.from_dict(DagSerialization.to_dict(dag)).tasks)


def test_a_dag_file_that_is_dropped_in_gets_the_policy() -> None:
    folder = REPOSITORY / "tests" / "gate" / "planted" / "dags"
    dags = DagBag(dag_folder=str(folder / "plain.py")).dags
    assert [operator.retry_policy for dag in dags.values() for operator in dag.tasks] == [RETRY_POLICY] * len(dags)
