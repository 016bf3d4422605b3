"""Prometheus's own checker, where it is installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[3]
MONITORING = REPOSITORY / "deploy" / "monitoring"
RULES = sorted((MONITORING / "prometheus" / "rules").glob("*.yaml"))
TESTS = sorted((MONITORING / "prometheus" / "tests").glob("*.yaml"))


def program(name: str, package: str) -> str:
    """Path of ``name``; skips the test if it is missing."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on PATH; `make tools` gets it, or install {package}")
    return path


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool; return its exit status and output."""
    return subprocess.run(
        [program("promtool", "prometheus"), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
