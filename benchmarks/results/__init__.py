"""The last results, one JSON file a benchmark, and the machine that they were measured on."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil

from benchmarks.comparison import Comparison
from devstack.state import REPOSITORY

FOLDER = Path(__file__).parent
PACKAGES = ("apache-airflow", "pandas", "duckdb", "psycopg")


@dataclass(frozen=True)
class Result:
    """What one benchmark measured, and where.

    Attributes:
        name: the module of :mod:`benchmarks`.
        machine: processor, cores, memory, system, versions, and the load before the measurement.
        measured_on: the day.
        commit: the measured version.
    """

    name: str
    comparisons: tuple[Comparison, ...]
    machine: dict[str, str]
    measured_on: str
    commit: str

    def write(self) -> None:
        """Store it in place of the module's previous result."""
        content = {
            "measured_on": self.measured_on,
            "commit": self.commit,
            "machine": self.machine,
            "comparisons": [comparison.to_dict() for comparison in self.comparisons],
        }
        (FOLDER / f"{self.name}.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read(name: str) -> Result | None:
    """Return the last result of a benchmark; ``None`` if it was never stored."""
    file = FOLDER / f"{name}.json"
    if not file.exists():
        return None
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    comparisons = tuple(Comparison.from_dict(item) for item in content["comparisons"])
    return Result(name, comparisons, content["machine"], content["measured_on"], content["commit"])


def describe_machine() -> dict[str, str]:
    """Return processor, cores, memory, system, versions and the load of the last minute."""
    return {
        "processor": _processor(),
        "cores": str(os.cpu_count()),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
        "load before": f"{os.getloadavg()[0]:.1f}",
    }


def result_of(name: str, comparisons: list[Comparison], machine: dict[str, str]) -> Result:
    """Return the result of today's measurement of the last commit."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False).stdout.strip()
    return Result(name, tuple(comparisons), machine, datetime.now(UTC).date().isoformat(), commit)


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return " ".join(line.partition(":")[2].split())
    return platform.processor() or platform.machine()
