"""A repository without some of its examples passes: imports, gate, and every test can be collected."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.removal.plan import NEEDED, Plan
from devstack.removal.repository import Repository
from tests.e2e.scratch import commit, run

DOMAINS = [name for name in Plan([], [], [], Repository()).domains if name not in NEEDED]
ONLY_COLLECTED = ("tests/gate/test_gate.py", "tests/integration", "tests/faults", "tests/e2e")


def remove(clone: Path, *names: str) -> str:
    """Remove domains, and those that a refusal names as required with them."""
    command = (sys.executable, "-m", "devstack.removal")
    process = subprocess.run([*command, *names], cwd=clone, capture_output=True, text=True, check=False)
    if process.returncode and (together := re.search(r"NAME='(.+)'", process.stderr)):
        assert " reads " in process.stderr or " uses " in process.stderr
        assert run(clone, "git", "status", "--porcelain") == ""
        return remove(clone, *together[1].split())
    assert process.returncode == 0, process.stderr
    return process.stdout


def require_green(clone: Path, not_run: tuple[str, ...] = ()) -> None:
    """Check the imports, collect all tests, and run the gate and the unit tests, in one process."""
    run(clone, "lint-imports")
    left_out = [f"--deselect={path}" for path in (*ONLY_COLLECTED, *not_run)]
    run(clone, sys.executable, "-m", "pytest", "-q", "tests", *left_out)


@pytest.mark.weekly
@pytest.mark.parametrize("name", DOMAINS)
def test_without_a_domain(clone: Path, name: str) -> None:
    output = remove(clone, name)
    assert "deleted  " in output
    require_green(clone)


def test_the_skeleton_passes(clone: Path) -> None:
    remove(clone, "--skeleton")
    remaining = {path.stem for path in (clone / "dags").glob("*.py")}
    assert {"my_first_spell", "weather_data_pipeline", "process_source_data", "model_monitoring"} <= remaining
    assert "\n  model-server:\n" in (clone / "deploy/compose/profiles.yaml").read_text(), "new models need it"
    require_green(clone, ("tests/unit",))
    run(clone, sys.executable, "-m", "devstack.sources", "new", "orders")
    run(clone, sys.executable, "-m", "devstack.catalogue")
    run(
        clone,
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "tests/gate/test_dags.py",
        "tests/unit/sources/test_orders_source.py",
    )


@pytest.mark.weekly
def test_the_skeleton_passes_its_unit_tests(clone: Path) -> None:
    remove(clone, "--skeleton")
    require_green(clone)


def test_nothing_is_deleted_while_changes_are_uncommitted(clone: Path) -> None:
    (clone / "README.md").write_text("mine")
    assert "commit or stash" in run(clone, sys.executable, "-m", "devstack.removal", DOMAINS[-1], good=False)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("other.py", "import no_such_module\n", ""),
        (
            "other.py",
            "def (:\n",
            "dags/other.py may use what is removed, but isn't valid Python",
        ),
        ("customer_report.py", None, "dags/customer_report.py goes too, but it isn't known what belongs to its DAGs"),
    ],
)
def test_a_dag_file_that_does_not_load_matters_only_if_it_is_concerned(
    clone: Path, file: str, text: str | None, message: str
) -> None:
    path = clone / "dags" / file
    path.write_text((path.read_text() if text is None else text) + "import no_such_module\n")
    commit(clone)
    output = run(clone, sys.executable, "-m", "devstack.removal", "customers", good=False)
    if message:
        assert message in output
        assert "Correct or delete that file, commit, and try again." in output
        assert run(clone, "git", "status", "--porcelain") == ""
    else:
        assert "deleted  dags/customer_report.py" in output
        assert "No module named 'no_such_module'" in output
        assert "the pages made from the DAGs are as they were: correct what is named above" in output


def test_an_unknown_domain_is_refused(clone: Path) -> None:
    assert "domain 'wime' does not exist" in run(clone, sys.executable, "-m", "devstack.removal", "wime", good=False)
