"""Which errors end a task at once, which only take time, and that every task has the policy that says so."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import DAG, ExceptionRetryPolicy, RetryAction, TaskInstanceState, task
from airflow.sdk.bases.sensor import BaseSensorOperator
from airflow.sdk.definitions.mappedoperator import MappedOperator
from airflow.sdk.execution_time import task_runner
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
from include.domains.analytics.errors import DbtError, DbtInputError, DbtTestError
from include.domains.finance.close import NothingToCloseError
from include.domains.retail import pipeline
from include.policies import RETRY_POLICY, task_policy

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

OWN = ExceptionRetryPolicy([])
DAGS = REPOSITORY / "dags"


@pytest.mark.parametrize(
    "error",
    [
        ArtifactError,
        ConfigurationError,
        CsvError,
        DataError,
        DbtTestError,
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


@pytest.mark.parametrize("error", [DbtInputError, MissingInputError, NoChampionError, NothingToCloseError])
def test_a_missing_input_is_looked_for_again_each_minute(error: type[MissingInputError]) -> None:
    decision = RETRY_POLICY.evaluate(error("no sales"), 1, 3)
    assert (decision.action, decision.retry_delay) == (RetryAction.RETRY, timedelta(minutes=1))


@pytest.mark.parametrize("error", [DbtError, OSError, ServingError, ThrottledError, TransientUpstreamError, ValueError])
def test_any_other_error_is_tried_again_with_the_tasks_own_delay(error: type[Exception]) -> None:
    assert RETRY_POLICY.evaluate(error("away"), 1, 3).action is RetryAction.DEFAULT


def state_after(operator: BaseOperator, error: BaseException) -> TaskInstanceState:
    """The state that Airflow gives to a task that has retries left, after an error of its first try."""
    ti: Any = SimpleNamespace(
        task=operator,
        try_number=1,
        rendered_map_index=None,
        stats_tags={},
        _failure_metrics_emitted=False,
        _ti_context_from_server=SimpleNamespace(max_tries=operator.retries, should_retry=True),
    )
    _, state = task_runner._handle_current_task_failed(ti, error, structlog.get_logger())
    return state


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (LoadError("more rows are bad than allowed"), TaskInstanceState.FAILED),
        (ConnectionError("the warehouse is away"), TaskInstanceState.UP_FOR_RETRY),
    ],
)
def test_a_load_error_in_retail_is_not_retried(
    monkeypatch: pytest.MonkeyPatch, error: Exception, state: TaskInstanceState
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "transform", fails)
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", "postgres://warehouse/db")
    mapped = DagBag(dag_folder=str(DAGS / "retail_transform.py")).dags["retail_transform"].get_task("transform_day")
    assert isinstance(mapped, MappedOperator)
    operator: Any = mapped.unmap({"op_kwargs": {"day": "2010-12-20"}})
    assert operator.retries == 3
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=0, try_number=1)
    with pytest.raises(type(error)) as raised:
        operator.python_callable("2010-12-20", "postgres_default", ti=ti, dag_run=SimpleNamespace(start_date=None))
    assert state_after(operator, raised.value) is state


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


def test_an_approval_that_nobody_gives_is_not_asked_for_again() -> None:
    from airflow.providers.standard.exceptions import HITLTimeoutError

    dag = DagBag(dag_folder=str(DAGS / "titanic_ml_pipeline.py")).dags["titanic_ml_pipeline"]
    approve: Any = dag.get_task("approve_model")
    assert state_after(approve, HITLTimeoutError("nobody")) is TaskInstanceState.FAILED
    assert state_after(approve, OSError("away")) is TaskInstanceState.UP_FOR_RETRY
