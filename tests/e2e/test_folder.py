"""A checkout in a folder with a space and an umlaut, owned by an ordinary user, runs like any other."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from devstack.postgres import SERVER_ACCOUNT, _reachable
from devstack.state import REPOSITORY, STATE_VARIABLE

FOLDER = "mein Ordner äöü"
ENVIRONMENTS = (".venv", ".venv-dbt")
SECONDS = 900  # includes creating the environments, if necessary
RUNS: dict[str, dict[str, int]] = {
    "weather_data_pipeline": {},
    "retail_validate": {},
    "large_data_handoff": {"rows": 100_000},
}
"""Conf of each DAG's run."""

Make = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def checkout() -> Iterator[Path]:
    """A copy of the repository's files, owned by another user if root runs the tests.

    It shares this repository's virtual environments, or creates its own if that user can't read them.
    """
    with tempfile.TemporaryDirectory() as name:
        home = Path(name)
        copy = home / FOLDER / "spellbook"
        listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        for file in subprocess.run(listed, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout.split(
            "\0"
        ):
            if (REPOSITORY / file).is_file():
                (copy / file).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(REPOSITORY / file, copy / file)
        if os.geteuid() != 0 or all(_reachable(Path(path)) for path in (REPOSITORY / ".venv", sys.base_prefix)):
            for environment in ENVIRONMENTS:
                (copy / environment).symlink_to(REPOSITORY / environment)
        if os.geteuid() == 0:
            for path in (home, *home.rglob("*")):
                os.chown(path, pwd.getpwnam(SERVER_ACCOUNT).pw_uid, -1, follow_symlinks=False)
        yield copy


@pytest.fixture(scope="module")
def make(checkout: Path) -> Iterator[Make]:
    """Run ``make`` in the copy; stop the stack at the end."""
    account = pwd.getpwnam(SERVER_ACCOUNT) if os.geteuid() == 0 else None
    inherited = {name: value for name, value in os.environ.items() if name not in {STATE_VARIABLE, "MAKEFLAGS"}}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", *arguments],
            cwd=checkout,
            env=inherited | {"HOME": str(checkout.parents[1]), "SPELLBOOK_UPSTREAM": "replay"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=SECONDS,
            user=account and account.pw_uid,
            group=account and account.pw_gid,
            extra_groups=[] if account else None,
        )

    yield run
    stopped = run("down")
    assert stopped.returncode == 0, stopped.stdout


@pytest.mark.parametrize("dag_id", RUNS)
def test_a_run_succeeds_and_writes_only_inside_the_checkout(make: Make, checkout: Path, dag_id: str) -> None:
    process = make("run", f"DAG={dag_id}", f"CONF={json.dumps(RUNS[dag_id])}")
    assert process.returncode == 0, process.stdout
    assert list((checkout / ".devstack/storage/weather").rglob("*.parquet"))
    assert [path.name for path in checkout.parent.iterdir()] == [checkout.name]
    assert [path.name for path in checkout.parents[1].iterdir() if not path.name.startswith(".")] == [FOLDER]
