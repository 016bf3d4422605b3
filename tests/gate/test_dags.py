"""The gate: the rules for every DAG of this repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from devstack.catalogue.pages import texts
from devstack.state import REPOSITORY
from tests.gate.conftest import PLUGINS
from tests.gate.launch import ROOT
from tests.gate.report import lint
from tests.integration.runs.table import ELSEWHERE, RUNS, wrong_lines

if TYPE_CHECKING:
    from tests.gate.report import Gate, Report


def assert_none(problems: list[str]) -> None:
    """Fail with all problems, without a traceback of the gate's own code."""
    if problems:
        pytest.fail("\n".join(f"- {problem}" for problem in problems), pytrace=False)


def test_every_dag_passes_all_rules(dags: Report) -> None:
    assert_none(dags.all_problems())


def test_the_catalogue_is_up_to_date(dags: Report) -> None:
    pages = texts(sorted(dags.facts.values(), key=lambda dag: dag.dag_id))
    outdated = [path for path, text in pages.items() if path.read_text(encoding="utf-8") != text]
    assert_none([f"{path.relative_to(REPOSITORY)} is out of date: run `make fix`" for path in outdated])


def test_the_table_of_runs_matches_the_dags(dags: Report) -> None:
    assert_none(wrong_lines({dag.dag_id: dag.kinds for dag in dags.facts.values()}, RUNS, ELSEWHERE))


def test_plugins_load_and_import_nothing_heavy(gate: Gate) -> None:
    assert_none(gate.plugins[PLUGINS])


def test_dag_files_have_no_deprecated_or_heavy_imports() -> None:
    if output := lint(ROOT / "dags"):
        assert_none([output])
