"""Each planted fault is caught, with a message that names it and says how to fix it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from include.house_rules import RULES
from tests.gate.conftest import PLANTED
from tests.gate.report import lint

if TYPE_CHECKING:
    from tests.gate.report import Report

# Planted case → text that its problems must contain: the fault, and the fix.
CAUGHT = {
    "cycle": ("Cycle detected", "remove the dependency"),
    "deadline_in_dag_file": ("the deadline's callback call_us is in the DAG file", "move it into include/"),
    "deprecated_import": ("DeprecatedImportWarning", "airflow.providers.standard.operators.python"),
    "duplicate_id": ("'duplicate_id' is defined in one.py too", "rename one"),
    "empty": ("holds no DAG file",),
    "exit_at_import": ("configuration missing", "remove sys.exit()"),
    "hard_exit_at_import": ("ended its process", "os._exit()"),
    "hash_order": ("in one process and", "make it constant"),
    "heavy_import": ("imports numpy", "import it in the function", "the budget is", "numpy."),
    "hidden_clock": ("in one process and", "make it constant"),
    "import_error": ("No module named 'no_such_package'", "requirements.in"),
    "infinite_loop": ("timeout", "move loops and long work into a task"),
    "missing": ("does not exist",),
    "no_doc": ("no doc_md", "doc_md=__doc__"),
    "no_heading": ("no heading 'On failure'", "## On failure"),
    "no_owner": ("no owner on task work: pass ", "default_args={'owner'"),
    "no_retries": ("task work: retries=0", "pass 1 or more"),
    "no_runbook": ("links to docs/runbooks/no_such_page.md", "write it, or remove the link"),
    "no_tags": ("no tags", "include/core/tags.py"),
    "no_tasks": ("no tasks", "call the decorated functions"),
    "no_timeout": ("task work: no execution_timeout", "pass a timedelta"),
    "not_a_dag": ("defines no DAG", "move it into include/"),
    "now_in_construction": ("runtime-varying value", "Use a fixed value"),
    "plain": tuple(
        f"plain.py, DAG {dag_id}: {problem}"
        for dag_id in ("plain_one", "plain_two")
        for problem in ("no owner on task work", "tag 'plain' is unknown", "no doc_md", "task work: unknown pool")
    ),
    "random_in_construction": ("in one process and", "random numbers"),
    "secret_encoded": ("the password of connection postgres_default is in what Airflow stores", "read it in the task"),
    "secret_in_argument": (
        "the password of connection postgres_default is in what Airflow stores",
        "read it in the task",
    ),
    "slow_code": ("the budget is", "it is the code itself"),
    "syntax_error": ("SyntaxError", "not valid Python"),
    "too_many_slots": ("pool_slots=3", "use fewer"),
    "top_level_connection": ("connection 'postgres_default' is read at", "read it in a task"),
    "top_level_request": ("NetworkAtParseError", "move the call into a task"),
    "top_level_variable": ("variable 'greeting' is read at", "read it in a task"),
    "unknown_connection": ("unknown connection 'warehouse'", "declare it in include/core/settings.py"),
    "unknown_connection_in_task": ("unknown connection 'warehouse_default'", "declare it in include/core/settings.py"),
    "unknown_pool": ("unknown pool 'weather_apy'", "declare it in include/core/settings.py"),
    "unknown_queue": ("unknown queue 'nightly'", "declare it in include/core/settings.py"),
    "unknown_tag": ("tag 'wheather' is unknown", "include/core/tags.py"),
    "unregistered_timetable": ("can't be stored", "plugins/spellbook_plugin.py"),
    "wrong_name": ("cannot import name 'NoSuchTag'", "Correct the name"),
}


@pytest.mark.parametrize("case", CAUGHT)
def test_planted_fault_is_caught(cases: dict[str, Report], case: str) -> None:
    problems = "\n".join(cases[case].all_problems())
    for words in CAUGHT[case]:
        assert words in problems


def test_a_good_dag_passes(cases: dict[str, Report]) -> None:
    report = cases["good"]
    assert list(report.dags) == ["good"]
    assert not report.all_problems()


def test_compilation_of_imports_does_not_count_as_a_files_cost(cases: dict[str, Report]) -> None:
    report = cases["compiled_anew"]
    assert list(report.dags) == ["compiled_anew"]
    assert not report.all_problems()


def test_every_planted_case_is_expected() -> None:
    planted = {case.stem for case in PLANTED.iterdir() if case.name != "__pycache__"}
    assert planted == CAUGHT.keys() - {"empty", "missing"} | {"good", "no_schedule"}


def test_every_rule_refuses_a_planted_dag(cases: dict[str, Report]) -> None:
    broken_rules = {
        rule
        for name, report in cases.items()
        if name in CAUGHT
        for problems in report.dags.values()
        for rule, broken in problems.items()
        if broken
    }
    assert broken_rules == RULES.keys() | {"stability", "secrets"}


def test_planted_plugins_are_caught(planted_plugins: list[str]) -> None:
    broken, *heavy = planted_plugins
    assert "plugin broken.py: No module named 'no_such_package'; fix it" in broken
    assert any("import numpy, so every Airflow process does: import it in a function" in problem for problem in heavy)


@pytest.mark.parametrize(
    ("case", "word"),
    [("heavy_import", "numpy"), ("deprecated_import", "airflow.operators"), ("no_schedule", "schedule"), ("good", "")],
)
def test_lint(case: str, word: str, tmp_path: Path) -> None:
    copy = shutil.copy(PLANTED / f"{case}.py", tmp_path)
    output = lint(Path(copy))
    assert word in output if word else not output
