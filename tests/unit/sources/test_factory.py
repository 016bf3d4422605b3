"""The DAGs created from sources: one each, none affected by another source's file."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from airflow.sdk import DAG
from airflow.sdk.bases.decorator import DecoratedOperator

from include.core.sources.factory import create_dags
from include.core.sources.files import require_sources
from include.domains.sources import FOLDER
from tests.unit.sources.conftest import GOOD

TASKS = ["extract", "process", "check", "load"]


def test_a_dag_for_each_source() -> None:
    dags = create_dags(FOLDER, "postgres_default")
    assert set(dags) >= {"process_sales_data", "process_marketing_data", "process_support_data"}
    for name, source in require_sources(FOLDER).items():
        dag = dags[f"process_{name}_data"]
        assert [task.task_id for task in dag.topological_sort()] == TASKS
        assert getattr(dag.schedule, "expression", "") == source.schedule


def sources_in(dag: DAG) -> set[str]:
    """Names of the sources that the callables of a DAG use."""
    names = set()
    for task in dag.tasks:
        assert isinstance(task, DecoratedOperator)
        names.add(inspect.getclosurevars(inspect.unwrap(task.python_callable)).nonlocals["source"].name)
    return names


def test_each_dags_callables_use_its_own_source(folder: Path) -> None:
    names = [f"source_{number}" for number in range(30)]
    for name in names:
        (folder / f"{name}.yaml").write_text(GOOD.replace("name: orders", f"name: {name}"))
    dags = create_dags(folder, "postgres_default")
    assert len(dags) == 31
    for name in [*names, "orders"]:
        dag = dags[f"process_{name}_data"]
        assert sources_in(dag) == {name}
        assert [asset.name for asset in dag.get_task("load").outlets] == [f"{name}_data"]
        assert f"include/domains/sources/{name}.yaml" in (dag.doc_md or "")


def test_a_worker_reads_the_file_of_its_task_only(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "refunds.yaml").write_text(GOOD.replace("name: orders", "name: refunds"))
    (folder / "broken.yaml").write_text("broken: [")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "process_refunds_data")
    assert list(create_dags(folder, "postgres_default")) == ["process_refunds_data"]
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "process_broken_data")
    assert create_dags(folder, "postgres_default") == {}
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "process_../../etc/passwd_data")
    assert create_dags(folder, "postgres_default") == {}


def test_a_bad_file_affects_its_own_dag_only(folder: Path) -> None:
    (folder / "refunds.yaml").write_text(GOOD.replace("name: orders", "name: refunds").replace("0 6", "99 6"))
    assert list(create_dags(folder, "postgres_default")) == ["process_orders_data"]
