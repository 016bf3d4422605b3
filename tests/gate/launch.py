"""Start a probe in a clean environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KEPT_ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "VIRTUAL_ENV", "LD_LIBRARY_PATH")


@dataclass(frozen=True)
class Conditions:
    """Conditions of a probe: the days that its clock is ahead, and its own environment variables."""

    name: str
    days: int
    environment: dict[str, str]


def probe(
    folders: dict[Path, float], plugins: list[Path], budgets: dict[str, float], conditions: Conditions, scratch: Path
) -> dict[str, Any]:
    """Run :mod:`tests.gate.probe` over DAG folders and plugins folders, and return its result.

    Raises:
        RuntimeError: if the probe fails, with what it wrote to stderr.
    """
    home = scratch / conditions.name
    home.mkdir()
    job, result = home / "job.json", home / "result.json"
    job_content = {
        "folders": {str(folder): seconds for folder, seconds in folders.items()},
        "plugins": [str(folder) for folder in plugins],
        "banned": _banned_modules(),
        "days": conditions.days,
        "budgets": budgets,
    }
    job.write_text(json.dumps(job_content), encoding="utf-8")
    with (home / "stderr").open("wb") as stderr:
        process = subprocess.run(
            [sys.executable, "-X", "importtime", "-m", "tests.gate.probe", job, result],
            cwd=ROOT,
            env=_environment(scratch) | conditions.environment,
            stdout=stderr,
            stderr=stderr,
            check=False,
        )
    if process.returncode:
        lines = (home / "stderr").read_text(errors="replace").splitlines()
        errors = "\n".join(line for line in lines if not line.startswith("import time:"))
        raise RuntimeError(f"the gate's probe failed with exit code {process.returncode}:\n{errors}")
    output: dict[str, Any] = json.loads(result.read_text(encoding="utf-8"))
    return output


def _environment(scratch: Path) -> dict[str, str]:
    """Return an environment without connections, database or settings of the shell's Airflow."""
    return {key: os.environ[key] for key in KEPT_ENVIRONMENT if key in os.environ} | {
        "AIRFLOW_HOME": str(scratch / "airflow"),
        "AIRFLOW_CONFIG": str(ROOT / "airflow.cfg"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{scratch}/missing/airflow.db",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(scratch / "logs"),
        "AIRFLOW__SECRETS__BACKEND": "tests.gate.tripwires.SecretsTripwire",
    }


def _banned_modules() -> list[str]:
    """The modules that ruff bans at module level: pyproject.toml defines them."""
    configuration = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    banned: list[str] = configuration["tool"]["ruff"]["lint"]["flake8-tidy-imports"]["banned-module-level-imports"]
    return banned
