"""Start-up time and idle memory of this Compose stack and Airflow's official quick start.

``python -m benchmarks.compose_stack [--official FILE]``; without a file, downloads the one of Airflow's documentation.
Both run on the same engine in turn, from built images and with new volumes, the official one without its example DAGs.
Memory is what the engine reports for each container, without page cache.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import requests
import yaml

from devstack.state import REPOSITORY

OFFICIAL = "https://airflow.apache.org/docs/apache-airflow/3.3.2/docker-compose.yaml"
IDLE_SECONDS = 60
COMMON = (
    "airflow-apiserver",
    "airflow-scheduler",
    "airflow-dag-processor",
    "airflow-triggerer",
    "airflow-worker",
)
UNITS = {"B": 1e-6, "KiB": 1024e-6, "MiB": 1.048576, "GiB": 1073.741824}


@dataclass(frozen=True)
class Measurement:
    """One start: seconds until every service was healthy, and megabytes of each service a minute later."""

    seconds: float
    megabytes: dict[str, float]


def measure(project: str, folder: Path, environment: dict[str, str]) -> Measurement:
    """Start the Compose project of a folder, wait until it is idle, measure, and remove it with its data."""
    values = os.environ | environment

    def compose(*arguments: str) -> str:
        command = ["docker", "compose", "--project-name", project, *arguments]
        return subprocess.run(command, cwd=folder, env=values, check=True, capture_output=True, text=True).stdout

    try:
        compose("build", "--quiet")
        started_at = time.monotonic()
        compose("up", "--detach", "--wait")
        seconds = time.monotonic() - started_at
        time.sleep(IDLE_SECONDS)
        names = {
            item["Name"]: item["Service"] for item in map(json.loads, compose("ps", "--format", "json").splitlines())
        }
        stats = subprocess.run(
            ["docker", "stats", "--no-stream", "--format", "json", *names], check=True, capture_output=True, text=True
        ).stdout
        used = {names[item["Name"]]: _megabytes(item["MemUsage"]) for item in map(json.loads, stats.splitlines())}
        return Measurement(seconds, used)
    finally:
        compose("down", "--volumes", "--timeout", "5")


def _megabytes(usage: str) -> float:
    """Parse the memory usage of ``docker stats``, such as ``341.1MiB / 4GiB``."""
    text = usage.split(" / ")[0]
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * UNITS[unit]


def write_official(source: str | None, folder: Path) -> None:
    """Write the official quick start: its Compose file and folders."""
    text = Path(source).read_text() if source else requests.get(OFFICIAL, timeout=30).text
    definition = yaml.safe_load(text)
    for service in definition["services"].values():
        if "AIRFLOW__CORE__LOAD_EXAMPLES" in service.get("environment", {}):
            service["environment"]["AIRFLOW__CORE__LOAD_EXAMPLES"] = "false"
        if "ports" in service:
            service["ports"] = [8080]
    for name in ("dags", "logs", "config", "plugins"):
        (folder / name).mkdir()
        (folder / name).chmod(0o777)
    (folder / "docker-compose.yaml").write_text(yaml.safe_dump(definition))


def main() -> None:
    """Measure both alternately and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compose_stack", description=__doc__)
    parser.add_argument("--official", metavar="FILE", help="Airflow's docker-compose.yaml; default: downloaded")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    own_runs, official_runs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        write_official(arguments.official, Path(scratch))
        for _ in range(arguments.runs):
            official_runs.append(measure("benchmark-official", Path(scratch), {"AIRFLOW_UID": "50000"}))
            own_runs.append(measure("benchmark-spellbook", REPOSITORY, {"SPELLBOOK_PORT": "0"}))
    print(f"{'':26}{'ours':>12}{'official':>12}")
    print(f"{'seconds until healthy':26}{median(run.seconds for run in own_runs):12.1f}", end="")
    print(f"{median(run.seconds for run in official_runs):12.1f}")
    for service in COMMON:
        row = (median(run.megabytes[service] for run in runs) for runs in (own_runs, official_runs))
        print(f"{service + ', MB':26}" + "".join(f"{value:12.0f}" for value in row))


if __name__ == "__main__":
    main()
