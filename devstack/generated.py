"""Brings formatted and generated files up to date after files were written or removed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from devstack.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def tidy(root: Path, paths: Iterable[str]) -> None:
    """Remove unused imports from Python files, given relative to ``root``, and format them."""
    if python := [path for path in paths if path.endswith(".py")]:
        _run(root, "ruff", "check", "--fix-only", "--quiet", "--select", "F401,I001", *python)
        _run(root, "ruff", "format", "--quiet", *python)


def regenerate(root: Path) -> None:
    """Generate ``docs/DAGS.md``, and the keys and secrets that Compose lists.

    Raises:
        StackError: if a DAG file doesn't load, as the command has said.
    """
    try:
        _run(root, "devstack.catalogue")
        _run(root, "deploy.derived")
    except subprocess.CalledProcessError as error:
        raise StackError("docs/DAGS.md is as it was: correct what is named above, then `make fix`") from error


def _run(root: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=root, check=True)
