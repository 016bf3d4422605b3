"""Pre-flight checks: find problems that would make Spark fail late or hang."""

from __future__ import annotations

import csv
import os
import re
import shutil
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from include.core.errors import ConfigurationError
from include.core.extras import Extras
from include.core.settings import RETAIL
from include.domains.sessions import settings as sessions
from include.domains.sessions.rules import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow.sdk import Connection

    from include.core.storage import File

UNITS = {"m": 1024**2, "g": 1024**3, "t": 1024**4}
MINIMUM = 450 * 1024**2
"""Spark requires a heap of at least 1.5 times its reserved 300 MiB (UnifiedMemoryManager)."""
MASTER = re.compile(r"local(\[(\*|\d+)(,\d+)?])?|spark://[\w.-]+:\d+(,[\w.-]+:\d+)*|k8s://\S+|yarn")
CONTAINER_LIMIT = Path("/sys/fs/cgroup/memory.max")


def raise_problems(problems: Iterator[str]) -> None:
    """Raise an error if there are any problems.

    Raises:
        ConfigurationError: with one line for each problem.
    """
    if lines := list(problems):
        raise ConfigurationError("\n".join(lines))


def check_spark(lines: File, spark: Connection) -> None:
    """Check input, connection, programs and configured sizes, and report all problems at once.

    Args:
        lines: the input file or folder.
        spark: the connection ``spark_default``; ``deploy-mode`` in its extra is checked too.

    Raises:
        ConfigurationError: with one line for each problem.
    """
    heaps = (sessions.SPARK_DRIVER_MEMORY, sessions.SPARK_EXECUTOR_MEMORY)
    raise_problems(
        chain(
            connection_problems(spark.host or "", spark.port, Extras.of(spark).text("deploy-mode")),
            program_problems(os.environ.get("JAVA_HOME", "")),
            memory_problems({key.name: key.read() for key in heaps}, driver=sessions.SPARK_DRIVER_MEMORY.name),
            number_problems(sessions.SPARK_PARTITIONS.name, sessions.SPARK_PARTITIONS.read()),
            input_problems(RETAIL.name, lines),
        )
    )


def connection_problems(host: str, port: int | None, deploy_mode: str | None) -> Iterator[str]:
    """Check the fields of the connection ``spark_default``."""
    master = f"{host}:{port}" if port else host
    if not MASTER.fullmatch(master):
        yield f"connection spark_default, host: {master!r} isn't a master; allowed: local[*], spark://host:7077, yarn, k8s://…"
    if deploy_mode not in {None, "", "client"}:
        yield f"connection spark_default, deploy-mode: {deploy_mode!r}; allowed: client (the driver runs on the worker)"


def memory_problems(settings: dict[str, str], driver: str, available: int | None = None) -> Iterator[str]:
    """Check the heap sizes.

    Args:
        settings: values such as ``512m`` or ``4g``, by name of the setting.
        driver: name of the setting for the driver, which runs on this machine.
        available: memory of this machine or container in bytes; detected by default.
    """
    if available is None:
        available = _available()
    for name, value in settings.items():
        size = _bytes(value)
        if size is None:
            yield f"{name}={value}: not a size; use an integer with the unit m, g or t, such as 4g"
        elif size < MINIMUM:
            yield f"{name}={value}: Spark requires at least 450m"
        elif name == driver and size > available:
            yield f"{name}={value}: only {available // 1024**2}m available; reduce it or add memory to the worker"


def number_problems(name: str, value: str) -> Iterator[str]:
    """Check a setting that is a positive integer."""
    if not value.isdecimal() or not int(value):
        yield f"{name}={value}: not a positive integer"


def program_problems(home: str) -> Iterator[str]:
    """Check that ``spark-submit`` is on ``PATH`` and that Java is installed."""
    if not shutil.which("spark-submit"):
        yield "spark-submit is not on PATH: run .ci/install spark; in Compose, see docs/spark.md"
    java = Path(home, "bin/java") if home else shutil.which("java")
    if not java or not os.access(java, os.X_OK):
        yield f"Java not found {f'at {java}' if java else 'on PATH'}: install version 17 or 21, or set JAVA_HOME"


def input_problems(name: str, path: File) -> Iterator[str]:
    """Check that there are CSV files with the expected header; ``name`` is the setting with the path."""
    files: list[File] = sorted(path.glob("*.csv"), key=str) if path.is_dir() else [path] if path.exists() else []
    if not files:
        yield f"{name}={path}: no CSV file found"
    for file in files:
        with file.open("r", encoding="utf-8-sig", newline="") as content:
            header = tuple(next(csv.reader(content), ()))
        if header != COLUMNS:
            yield f"{file}: columns are {', '.join(header) or 'missing'}; expected: {', '.join(COLUMNS)}"


def _bytes(value: str) -> int | None:
    match = re.fullmatch(r"(\d+)([mgt])b?", value.lower())
    return int(match[1]) * UNITS[match[2]] if match else None


def _available() -> int:
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(physical, int(CONTAINER_LIMIT.read_text()))
    except (OSError, ValueError):  # not in a container, or no limit ("max")
        return physical
