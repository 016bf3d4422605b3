"""The gate: what every DAG of this repository must be before it is committed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.gate.conftest import PLUGINS
from tests.gate.launch import ROOT
from tests.gate.report import RULE_NAMES, inventory_problems, lint

if TYPE_CHECKING:
    from tests.gate.report import Gate, Report

INVENTORY = Path(__file__).with_name("inventory.txt")
DAG_IDS = INVENTORY.read_text(encoding="utf-8").split()


def lines(problems: list[str]) -> str:
    return "\n" + "\n".join(f"- {problem}" for problem in problems)


def test_the_folder_is_there_and_holds_dags(dags: Report) -> None:
    assert not dags.problems, lines(dags.problems)


def test_every_file_parses_cleanly_cheaply_and_offline(dags: Report) -> None:
    problems = [f"{file}: {problem}" for file, found in dags.files.items() for problem in found]
    assert not problems, lines(problems)


def test_the_bag_is_the_inventory(dags: Report) -> None:
    problems = inventory_problems(list(dags.dags), DAG_IDS)
    for dag_id in dags.dags.keys() - set(DAG_IDS):
        problems += [f"{dag_id}: {problem}" for found in dags.dags[dag_id].values() for problem in found]
    assert not problems, lines(problems)


@pytest.mark.parametrize("dag_id", DAG_IDS)
@pytest.mark.parametrize("rule", RULE_NAMES)
def test_dag(dags: Report, dag_id: str, rule: str) -> None:
    assert dag_id in dags.dags, f"{dag_id} isn't in the bag: {lines(dags.all_problems())}"
    problems = dags.dags[dag_id].get(rule, [])
    assert not problems, lines(problems)


def test_plugins_load_and_import_nothing_heavy(gate: Gate) -> None:
    assert not gate.plugins[PLUGINS], lines(gate.plugins[PLUGINS])


def test_imports_of_dag_files_by_lint() -> None:
    found = lint(ROOT / "dags")
    assert not found, found
