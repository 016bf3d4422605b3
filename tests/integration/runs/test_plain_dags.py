"""Unchanged DAG files of others: Airflow's own examples run, with a note of what the gate will ask for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import airflow.example_dags
import airflow.providers.standard.example_dags
import pytest

from devstack.stack import Stack
from tests.integration.runs.conftest import RunResult, maker

AT_ONCE = 4
EXAMPLES = {
    "example_simplest_dag": "example_simplest_dag",
    "example_display_name": "example_display_name",
    "example_custom_weight": "example_custom_weight",
    "example_dynamic_task_mapping": "example_dynamic_task_mapping",
    "example_workday_timetable": "example_workday_timetable",
    "example_short_circuit_operator": "example_short_circuit_operator",
    "example_xcomargs": "example_xcom_args",
    "tutorial_taskflow_api": "tutorial_taskflow_api",
}
"""File of an example, and a DAG that it defines."""


@pytest.fixture(scope="module")
def runs(stack: Stack) -> Iterator[dict[str, RunResult]]:
    """Result of `make run` for each example."""
    folders = [
        Path(str(package.__file__)).parent
        for package in (airflow.example_dags, airflow.providers.standard.example_dags)
    ]
    dropped = stack.dags / "dropped"
    dropped.mkdir()
    for file in EXAMPLES:
        [path] = [path for folder in folders if (path := folder / f"{file}.py").exists()]
        shutil.copy(path, dropped)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield dict(zip(EXAMPLES, pool.map(maker(stack), EXAMPLES.values()), strict=True))
    shutil.rmtree(dropped)


@pytest.mark.parametrize("file", EXAMPLES)
def test_an_example_of_airflow_runs_unchanged(runs: dict[str, RunResult], file: str) -> None:
    assert runs[file].good, runs[file].text
    assert "What the gate will ask for" in runs[file].text
    assert "no owner on task" in runs[file].text
