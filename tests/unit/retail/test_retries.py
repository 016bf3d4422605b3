"""A load that is refused ends its task at the first try."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.sdk import TaskInstanceState
from airflow.sdk.definitions.mappedoperator import MappedOperator

from devstack.state import REPOSITORY
from include.core.warehouse.errors import LoadError
from include.domains.retail import pipeline
from tests.unit.outcome import state_after


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (LoadError("more rows are bad than allowed"), TaskInstanceState.FAILED),
        (ConnectionError("the warehouse is away"), TaskInstanceState.UP_FOR_RETRY),
    ],
)
def test_only_a_transient_error_is_retried(
    monkeypatch: pytest.MonkeyPatch, error: Exception, state: TaskInstanceState
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr(pipeline, "transform", fails)
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", "postgres://warehouse/db")
    bag = DagBag(dag_folder=str(REPOSITORY / "dags" / "retail_transform.py"))
    mapped = bag.dags["retail_transform"].get_task("transform_day")
    assert isinstance(mapped, MappedOperator)
    operator: Any = mapped.unmap({"op_kwargs": {"day": "2010-12-20"}})
    assert operator.retries == 3
    ti = SimpleNamespace(dag_id="d", task_id="t", run_id="r", map_index=0, try_number=1)
    with pytest.raises(type(error)) as raised:
        operator.python_callable("2010-12-20", "postgres_default", ti=ti, dag_run=SimpleNamespace(start_date=None))
    assert state_after(operator, raised.value) is state
