"""A copy of the repository, and commands in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from devstack.removal.repository import Repository
from devstack.state import REPOSITORY, STATE_VARIABLE

PROGRAMS = Path(sys.executable).parent


def copy_repository(folder: Path) -> None:
    """Copy the repository as it is now into a folder, and commit it there."""
    for path in Repository().files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / path, folder / path)
    run(folder, "git", "init", "--quiet")
    (folder / ".git/info/exclude").write_text(".venv*\n")
    commit(folder)
    for name in (".venv", ".venv-dbt"):
        (folder / name).symlink_to(REPOSITORY / name)


def commit(folder: Path) -> None:
    """Commit everything."""
    run(folder, "git", "add", "--all")
    run(folder, "git", "-c", "user.name=x", "-c", "user.email=x@example.com", "commit", "--quiet", "--message=all")


def run(folder: Path, *command: str, good: bool = True) -> str:
    """Run a command in a folder; return its output."""
    process = subprocess.run(
        command,
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name != STATE_VARIABLE}
        | {"PATH": f"{PROGRAMS}:{os.environ['PATH']}", "PYTHONPATH": ".:plugins"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode == 0) == good, process.stdout[-5000:] + process.stderr[-5000:]
    return process.stdout + process.stderr
