"""What would make Spark fail late or hang, found before it is started."""

from __future__ import annotations

import csv
import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from include.core.errors import ConfigurationError
from include.domains.sessions.rules import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.storage import File

UNITS = {"m": 1024**2, "g": 1024**3, "t": 1024**4}
MINIMUM = 450 * 1024**2
"""Spark refuses a heap below 1.5 times the 300 MiB that it keeps for itself (UnifiedMemoryManager)."""
MASTER = re.compile(r"local(\[(\*|\d+)(,\d+)?])?|spark://[\w.-]+:\d+(,[\w.-]+:\d+)*|k8s://\S+|yarn")
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def demand(problems: Iterator[str]) -> None:
    """Raise if there is a problem.

    Raises:
        ConfigurationError: with one line for each.
    """
    found = list(problems)
    if found:
        raise ConfigurationError("\n".join(found))


def connection_problems(host: str, port: int | None, deploy_mode: str | None) -> Iterator[str]:
    """Look at the fields of the connection ``spark_default``."""
    master = f"{host}:{port}" if port else host
    if not MASTER.fullmatch(master):
        yield f"connection spark_default, host: {master!r} is none; allowed: local[*], spark://host:7077, yarn, k8s://…"
    if deploy_mode not in {None, "", "client"}:
        yield f"connection spark_default, deploy-mode: {deploy_mode!r}; allowed: client, so that the driver runs here"


def memory_problems(settings: dict[str, str], driver: str, available: int | None = None) -> Iterator[str]:
    """Look at the sizes of heaps.

    Args:
        settings: name of each setting to its value, such as ``512m`` or ``4g``.
        driver: the setting that is taken from this machine.
        available: bytes that this machine or container has; found out if it isn't given.
    """
    if available is None:
        available = _available()
    for name, value in settings.items():
        size = _bytes(value)
        if size is None:
            yield f"{name}={value}: not a size; write a whole number and m, g or t, such as 4g"
        elif size < MINIMUM:
            yield f"{name}={value}: Spark needs 450m or more"
        elif name == driver and size > available:
            yield f"{name}={value}: there are {available // 1024**2}m here; give less, or more to the worker"


def number_problems(name: str, value: str) -> Iterator[str]:
    """Look at a setting that counts something."""
    if not value.isdecimal() or not int(value):
        yield f"{name}={value}: not a whole number above 0"


def program_problems(home: str) -> Iterator[str]:
    """Look for what starts Spark: ``spark-submit`` on ``PATH``, and Java."""
    if not shutil.which("spark-submit"):
        yield "spark-submit is not on PATH: run .ci/install spark; in Compose, see docs/spark.md"
    java = Path(home, "bin/java") if home else shutil.which("java")
    if not java or not os.access(java, os.X_OK):
        yield f"no Java at {java or 'any place of PATH'}: install 17 or 21, or set JAVA_HOME"


def input_problems(name: str, path: File) -> Iterator[str]:
    """Look for CSV files with the right header; ``name`` is the setting that leads to them."""
    files: list[File] = sorted(path.glob("*.csv"), key=str) if path.is_dir() else [path] if path.exists() else []
    if not files:
        yield f"{name}={path}: no CSV file there"
    for file in files:
        with file.open("r", encoding="utf-8-sig", newline="") as content:
            header = tuple(next(csv.reader(content), ()))
        if header != COLUMNS:
            yield f"{file}: its columns are {', '.join(header) or 'none'}; they must be {', '.join(COLUMNS)}"


def _bytes(value: str) -> int | None:
    match = re.fullmatch(r"(\d+)([mgt])b?", value.lower())
    return int(match[1]) * UNITS[match[2]] if match else None


def _available() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(physical, int(CONTAINER_LIMIT.read_text()))
    except (OSError, ValueError):  # no container, or one without a limit ("max")
        return physical
