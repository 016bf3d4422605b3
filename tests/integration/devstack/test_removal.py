"""A repository without some of its examples is green: imports, gate, and every test can be collected."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from devstack.removal.plan import NEEDED, Plan
from devstack.removal.repository import Repository
from devstack.state import REPOSITORY

DOMAINS = [name for name in Plan([], [], [], Repository()).domains if name not in NEEDED]
EACH_PUSH = DOMAINS[-1:]
GREEN = (
    ("lint-imports",),
    (sys.executable, "-m", "pytest", "-q", "tests/gate/test_dags.py"),
    (sys.executable, "-m", "pytest", "-q", "--collect-only", "tests"),
)
PROGRAMS = Path(sys.executable).parent
UNIT_TESTS = (sys.executable, "-m", "pytest", "-q", "tests/unit")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository as it is now, committed."""
    for path in Repository().files():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / path, tmp_path / path)
    run(tmp_path, "git", "init", "--quiet")
    run(tmp_path, "git", "add", ".")
    run(tmp_path, "git", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--message=all")
    (tmp_path / ".git/info/exclude").write_text(".venv*\n")
    for name in (".venv", ".venv-dbt"):
        (tmp_path / name).symlink_to(REPOSITORY / name)
    return tmp_path


def run(folder: Path, *command: str, good: bool = True) -> str:
    """Run a command in a folder; return what it says."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PYTHONPATH": ".:plugins"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode == 0) == good, done.stdout[-5000:] + done.stderr[-5000:]
    return done.stdout + done.stderr


def remove(clone: Path, *names: str) -> str:
    """Remove domains, and those that a refusal says must go with them."""
    command = (sys.executable, "-m", "devstack.removal")
    done = subprocess.run([*command, *names], cwd=clone, capture_output=True, text=True, check=False)
    if done.returncode and (together := re.search(r"NAME='(.+)'", done.stderr)):
        assert " reads " in done.stderr or " uses " in done.stderr
        assert run(clone, "git", "status", "--porcelain") == ""
        return remove(clone, *together[1].split())
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in EACH_PUSH else pytest.mark.weekly) for name in DOMAINS]
)
def test_without_a_domain(clone: Path, name: str) -> None:
    said = remove(clone, name)
    assert "deleted  " in said
    for command in (*GREEN, *([UNIT_TESTS] if name in EACH_PUSH else [])):
        run(clone, *command)


def test_the_skeleton(clone: Path) -> None:
    remove(clone, "--skeleton")
    kept = {path.stem for path in (clone / "dags").glob("*.py")}
    assert {"my_first_spell", "weather_data_pipeline", "process_source_data"} <= kept
    for command in (*GREEN, UNIT_TESTS):
        run(clone, *command)
    run(clone, sys.executable, "-m", "devstack.sources", "new", "orders")
    run(clone, sys.executable, "-m", "devstack.catalogue")
    run(clone, sys.executable, "-m", "pytest", "-q", "tests/gate/test_dags.py", "tests/unit/sources")


def test_nothing_is_deleted_where_something_is_not_committed(clone: Path) -> None:
    (clone / "README.md").write_text("mine")
    assert "not committed" in run(clone, sys.executable, "-m", "devstack.removal", *EACH_PUSH, good=False)


def test_a_misspelt_domain_is_told_the_names(clone: Path) -> None:
    assert "there is no domain 'wime'" in run(clone, sys.executable, "-m", "devstack.removal", "wime", good=False)
