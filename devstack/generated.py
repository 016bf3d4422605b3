"""Brings formatted and generated files up to date after files were written or removed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def bring_up_to_date(root: Path, paths: Iterable[str]) -> bool:
    """Tidy Python files, given relative to ``root``, and generate what is made from code; return whether that worked.

    It doesn't if a DAG file fails to load, which the command that was run has said.
    """
    try:
        _tidy(root, paths)
        _run(root, "devstack.catalogue")
        _run(root, "deploy.derived")
        _run(root, "benchmarks.page")
    except subprocess.CalledProcessError:
        print(
            "the pages made from the DAGs are as they were: correct what is named above, then `make fix`",
            file=sys.stderr,
        )
        return False
    return True


def _tidy(root: Path, paths: Iterable[str]) -> None:
    """Remove unused imports, and format."""
    if python := [path for path in paths if path.endswith(".py")]:
        _run(root, "ruff", "check", "--fix-only", "--quiet", "--select", "F401,I001", *python)
        _run(root, "ruff", "format", "--quiet", *python)


def _run(root: Path, *command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=root, check=True)
