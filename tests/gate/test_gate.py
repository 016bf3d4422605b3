"""Each planted fault is caught, with a message that names it and says how to fix it."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from include.house_rules import RULES
from tests.gate.conftest import PLANTED
from tests.gate.finding import Check, GateDocument, document
from tests.gate.launch import ROOT
from tests.gate.lines import LINES
from tests.gate.report import lint

if TYPE_CHECKING:
    from tests.gate.finding import Finding
    from tests.gate.report import Report

# Planted case → text that its problems must contain: the fault, and the fix.
CAUGHT = {
    "cycle": ("Cycle detected", "remove the dependency"),
    "deadline_in_dag_file": ("the deadline's callback call_us is in the DAG file", "move it into include/"),
    "deprecated_import": ("DeprecatedImportWarning", "airflow.providers.standard.operators.python"),
    "directory_at_import": ("the working directory becomes / at ", "directory_at_import.py:10", "use absolute paths"),
    "duplicate_id": ("'duplicate_id' is defined in one.py too", "rename one"),
    "empty": ("holds no DAG file",),
    "environment_at_import": (
        "variable GREETING is changed at ",
        "environment_at_import.py:10",
        "where Airflow is started",
    ),
    "exit_at_import": ("configuration missing", "remove sys.exit()"),
    "file_at_import": ("open of ", "cities.txt at ", "file_at_import.py:12", "write files in a task"),
    "hard_exit_at_import": ("ended its process", "os._exit()"),
    "hash_order": ("in one process and", "make it constant"),
    "heavy_import": ("imports numpy", "import it in the function", "the budget is", "numpy."),
    "hidden_clock": ("in one process and", "make it constant"),
    "import_error": ("No module named 'no_such_package'", "requirements.in"),
    "infinite_loop": ("timeout", "move loops and long work into a task"),
    "missing": ("does not exist",),
    "no_doc": ("no doc_md", "doc_md=__doc__"),
    "no_heading": ("no heading 'On failure'", "## On failure"),
    "no_limits": (
        *(f", DAG no_limits: param {name}: a number" for name in ("rows", "share", "sizes.items", "plain")),
        "without minimum and maximum; pass both, from -9223372036854775808",
    ),
    "no_owner": ("no owner on task work; pass ", "default_args={'owner'"),
    "no_retries": ("task work: retries=0", "pass 1 or more"),
    "no_runbook": ("links to docs/runbooks/no_such_page.md", "write it, or remove the link"),
    "no_tags": ("no tags", "include/core/tags.py"),
    "no_tasks": ("no tasks", "call the decorated functions"),
    "no_timeout": ("task work: no execution_timeout", "pass a timedelta"),
    "not_a_dag": ("defines no DAG", "move it into include/"),
    "now_in_construction": ("runtime-varying value", "use a fixed value"),
    "plain": tuple(
        f", DAG {dag_id}: {problem}"
        for dag_id in ("plain_one", "plain_two")
        for problem in ("no owner on task work", "tag 'plain' is unknown", "no doc_md", "task work: unknown pool")
    ),
    "process_at_import": ("subprocess.Popen of git at ", "process_at_import.py:10", "start processes in a task"),
    "random_in_construction": ("in one process and", "random numbers"),
    "secret_encoded": ("the password of connection postgres_default is in what Airflow stores", "read it in the task"),
    "secret_in_argument": (
        "the password of connection postgres_default is in what Airflow stores",
        "read it in the task",
    ),
    "signal_at_import": ("the handler of SIGTERM is replaced at ", "signal_at_import.py:10", "remove it"),
    "slow_code": ("the budget is", "it is the code itself"),
    "spawned_at_import": ("a process is started at ", "start processes in a task"),
    "swallowed_exit": ("sys.exit is called at ", "swallowed_exit.py:11", "remove it"),
    "swallowed_query": ("connection to PostgreSQL at ", "swallowed_query.py:11", "move the call into a task"),
    "swallowed_request": ("to 127.0.0.1 at ", "swallowed_request.py:11", "move the call into a task"),
    "syntax_error": ("SyntaxError", "not valid Python"),
    "thread_at_import": ("(poller) is started at ", "thread_at_import.py:10", "in a task that waits for their end"),
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
    "written_secrets": (
        "task name: env.PGPASSWORD holds what looks like a password; keep it in a connection",
        "task command: bash_command holds what looks like a password",
        "task option: bash_command holds what looks like a password",
        "task json: env.BODY holds what looks like a password",
        "task pod: params.default.API_TOKEN holds what looks like a token",
        "task not_stored: password holds what looks like a password",
        "task aws: env.VALUE holds what looks like a secret of the form AWS Access Key",
        "task github: env.VALUE holds what looks like a secret of the form GitHub Token",
        "task github_pat: env.VALUE holds what looks like a secret of the form GitHub Token",
        "task gitlab: env.VALUE holds what looks like a secret of the form GitLab Token",
        "task jwt: env.VALUE holds what looks like a secret of the form JSON Web Token",
        "task private_key: env.VALUE holds what looks like a secret of the form Private Key",
        "task slack: env.VALUE holds what looks like a secret of the form Slack Token",
        "task uri: env.VALUE holds what looks like a secret of the form Basic Auth Credentials",
        "task random: env.VALUE holds what looks like a random key",
        "task hex: env.VALUE holds what looks like a random key",
    ),
    "wrong_name": ("cannot import name 'NoSuchTag'", "Correct the name"),
}

# The costs of "compiled_anew" don't include the compilation of its imports.
ELSEWHERE = {Check.AIRFLOW2, Check.CATALOGUE, Check.PLUGIN, Check.RUNS}  # not found by looking at one file
SCHEMA = json.loads((ROOT / "docs/gate.schema.json").read_text())
GOOD = ("good", "compiled_anew", "harmless_at_import", "harmless_values", "sensor_of_airflow")


@pytest.mark.parametrize("case", CAUGHT)
def test_planted_fault_is_caught(cases: dict[str, Report], case: str) -> None:
    problems = "\n".join(cases[case].all_problems())
    for words in CAUGHT[case]:
        assert words in problems


@pytest.mark.parametrize("case", sorted(CAUGHT.keys() - {"empty", "missing"}))
def test_a_finding_names_the_line_to_correct_with_rule_and_fix(cases: dict[str, Report], case: str) -> None:
    found = document(cases[case].findings, files=1, dags=1).model_dump(mode="json")
    jsonschema.validate(found, SCHEMA)
    assert not found["passed"]
    broken = [
        (each["rule"], (ROOT / each["file"]).read_text().splitlines()[each["line"] - 1], each["fix"])
        for each in found["findings"]
    ]
    for rule, fragment in LINES[case]:
        assert any(rule == found_rule and fragment in line for found_rule, line, _ in broken), (rule, fragment, broken)
    for rule, line, fix in broken:
        assert any(rule == expected and fragment in line for expected, fragment in LINES[case]), (rule, line)
        assert fix


def test_every_rule_is_documented() -> None:
    page = (ROOT / "docs/gate.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(\w+)`", page.partition("\n## How it works")[0], re.MULTILINE))
    assert documented == RULES.keys() | set(Check)


def test_the_documented_schema_is_that_of_the_model() -> None:
    assert GateDocument.model_json_schema(mode="serialization") == SCHEMA


@pytest.mark.parametrize("case", GOOD)
def test_a_good_dag_passes(cases: dict[str, Report], case: str) -> None:
    report = cases[case]
    assert list(report.facts) == [case]
    assert not report.all_problems()


def test_a_problem_shows_no_secret(cases: dict[str, Report]) -> None:
    shown = "\n".join(cases["written_secrets"].all_problems())
    assert not any(
        value in shown for value in ("tweet", "AKIA", "ghp_", "glpat", "T0AAAAAAA", "q9Zt4LmX7c", "9f86d081")
    )


def test_every_planted_case_is_expected() -> None:
    planted = {case.stem for case in PLANTED.iterdir() if case.name != "__pycache__"}
    assert planted | {"empty", "missing", "compiled_anew"} == CAUGHT.keys() | set(GOOD) | {
        "no_schedule",
        "airflow2_names",
    }


def test_every_rule_refuses_a_planted_dag(cases: dict[str, Report]) -> None:
    broken_rules = {finding.rule for name, report in cases.items() if name in CAUGHT for finding in report.findings}
    assert broken_rules == RULES.keys() | set(Check) - ELSEWHERE


def test_planted_plugins_are_caught(planted_plugins: list[Finding]) -> None:
    broken, *heavy = map(str, planted_plugins)
    assert "plugin broken.py: No module named 'no_such_package'; fix it" in broken
    assert any("import numpy, so every Airflow process does; import it in a function" in problem for problem in heavy)


@pytest.mark.parametrize(
    ("case", "word"),
    [
        ("heavy_import", "numpy"),
        ("deprecated_import", "airflow.operators"),
        ("airflow2_names", "`execution_date` is gone in Airflow 3; use `logical_date`"),
        ("no_schedule", "schedule"),
        ("good", ""),
    ],
)
def test_lint(case: str, word: str, tmp_path: Path) -> None:
    copy = shutil.copy(PLANTED / f"{case}.py", tmp_path)
    output = "\n".join(f"{finding.rule} {finding}" for finding in lint(Path(copy)))
    assert word in output if word else not output
