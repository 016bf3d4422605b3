"""The gate's checks of this repository, by test of :mod:`tests.gate.test_dags`."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from devstack.catalogue.pages import texts
from tests.gate.finding import Check, Finding, shown
from tests.gate.launch import ROOT
from tests.gate.report import lint
from tests.integration.runs import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.gate.report import Report

DAGS = ROOT / "dags"
PLUGINS = ROOT / "plugins"
IMPORT_SECONDS = 10.0


def budgets() -> dict[str, float]:
    """Return the allowed cost of parsing, by file name or as ``default``."""
    content: dict[str, float] = tomllib.loads(Path(__file__).with_name("budget.toml").read_text(encoding="utf-8"))
    return content


def catalogue(report: Report) -> Iterator[Finding]:
    """Yield a finding for each page made from code that isn't up to date."""
    for path, expected in texts(sorted(report.facts.values(), key=lambda dag: dag.dag_id)).items():
        if path.read_text(encoding="utf-8") != expected:
            yield _finding(shown(path), Check.CATALOGUE, f"{shown(path)} is out of date", "run `make fix`")


def runs(report: Report) -> Iterator[Finding]:
    """Yield a finding for each line of the table of runs that doesn't match the DAGs."""
    kinds = {dag.dag_id: dag.kinds for dag in report.facts.values()}
    for line in table.wrong_lines(kinds, table.RUNS, table.ELSEWHERE):
        yield _finding("tests/integration/runs/table.py", Check.RUNS, line, "correct the table")


def text(_: Report) -> list[Finding]:
    """Return what is wrong with the text of the DAG files."""
    return lint(DAGS)


def _finding(file: str, check: Check, message: str, fix: str) -> Finding:
    return Finding(file=file, line=None, rule=check, message=message, fix=fix, dag_id=None)
