"""The gate: what every DAG of this repository must be before it is committed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devstack.catalogue.page import PAGE, page
from tests.gate.conftest import PLUGINS
from tests.gate.launch import ROOT
from tests.gate.report import lint
from tests.integration.runs.table import ELSEWHERE, RUNS, wrong_lines

if TYPE_CHECKING:
    from tests.gate.report import Gate, Report


def none_of(problems: list[str]) -> None:
    """Fail with every problem, if there are any; where they were found in the gate's own code says nothing."""
    if problems:
        pytest.fail("\n".join(f"- {problem}" for problem in problems), pytrace=False)


def test_every_dag_has_what_it_must_have(dags: Report) -> None:
    none_of(dags.all_problems())


def test_the_catalogue_is_what_the_dags_are(dags: Report) -> None:
    if PAGE.read_text(encoding="utf-8") != page(sorted(dags.facts.values(), key=lambda dag: dag.dag_id)):
        none_of(["docs/DAGS.md isn't what the DAGs are: run `make fix`"])


def test_the_table_of_runs_is_what_the_dags_allow(dags: Report) -> None:
    none_of(wrong_lines({dag.dag_id: dag.kinds for dag in dags.facts.values()}, RUNS, ELSEWHERE))


def test_plugins_load_and_import_nothing_heavy(gate: Gate) -> None:
    none_of(gate.plugins[PLUGINS])


def test_imports_of_dag_files_by_lint() -> None:
    if found := lint(ROOT / "dags"):
        none_of([found])
