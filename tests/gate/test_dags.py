"""The gate: the rules for every DAG of this repository."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.gate import repository
from tests.gate.repository import PLUGINS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.gate.finding import Finding
    from tests.gate.report import Gate, Report


def assert_none(findings: Iterable[Finding]) -> None:
    """Fail with all findings, without a traceback of the gate's own code."""
    if problems := [str(finding) for finding in findings]:
        pytest.fail("\n".join(f"- {problem}" for problem in problems), pytrace=False)


def test_every_dag_passes_all_rules(dags: Report) -> None:
    assert_none(dags.findings)


def test_the_catalogue_is_up_to_date(dags: Report) -> None:
    assert_none(repository.catalogue(dags))


def test_the_table_of_runs_matches_the_dags(dags: Report) -> None:
    assert_none(repository.runs(dags))


def test_plugins_load_and_import_nothing_heavy(gate: Gate) -> None:
    assert_none(gate.plugins[PLUGINS])


def test_dag_files_have_no_deprecated_or_heavy_imports(dags: Report) -> None:
    assert_none(repository.text(dags))
