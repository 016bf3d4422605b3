"""Seconds until healthy and memory at rest: our Compose stack beside Airflow's official quick-start file.

``python -m benchmarks.compose_stack [--official FILE]``; without a file, the one of Airflow's documentation is fetched.
Both run on the same engine, one after the other, from built images and with no volumes; the official one without its
example DAGs, which ours hasn't got either. Memory is what the engine counts for each container, without page cache.
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
class Measured:
    """One start: seconds until every service was healthy, and megabytes of each service a minute later."""

    seconds: float
    megabytes: dict[str, float]


def measure(project: str, folder: Path, environment: dict[str, str]) -> Measured:
    """Start the Compose project of a folder, let it come to rest, measure, and take it down with its data."""
    values = os.environ | environment

    def compose(*arguments: str) -> str:
        command = ["docker", "compose", "--project-name", project, *arguments]
        return subprocess.run(command, cwd=folder, env=values, check=True, capture_output=True, text=True).stdout

    try:
        compose("build", "--quiet")
        begun = time.monotonic()
        compose("up", "--detach", "--wait")
        seconds = time.monotonic() - begun
        time.sleep(IDLE_SECONDS)
        names = {one["Name"]: one["Service"] for one in map(json.loads, compose("ps", "--format", "json").splitlines())}
        stats = subprocess.run(
            ["docker", "stats", "--no-stream", "--format", "json", *names], check=True, capture_output=True, text=True
        ).stdout
        used = {names[one["Name"]]: _megabytes(one["MemUsage"]) for one in map(json.loads, stats.splitlines())}
        return Measured(seconds, used)
    finally:
        compose("down", "--volumes", "--timeout", "5")


def _megabytes(usage: str) -> float:
    """Read what ``docker stats`` prints, such as ``341.1MiB / 4GiB``."""
    text = usage.split(" / ")[0]
    unit = text.lstrip("0123456789.")
    return float(text.removesuffix(unit)) * UNITS[unit]


def official(source: str | None, folder: Path) -> None:
    """Lay out the official quick start: its file, and the folders that it wants."""
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
    """Measure both in turns and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compose_stack", description=__doc__)
    parser.add_argument("--official", metavar="FILE", help="Airflow's docker-compose.yaml; default: fetched")
    parser.add_argument("--runs", type=int, default=3)
    arguments = parser.parse_args()
    ours, theirs = [], []
    with tempfile.TemporaryDirectory() as scratch:
        official(arguments.official, Path(scratch))
        for _ in range(arguments.runs):
            theirs.append(measure("benchmark-official", Path(scratch), {"AIRFLOW_UID": "50000"}))
            ours.append(measure("benchmark-spellbook", REPOSITORY, {"SPELLBOOK_PORT": "0"}))
    print(f"{'':26}{'ours':>12}{'official':>12}")
    print(f"{'seconds until healthy':26}{median(one.seconds for one in ours):12.1f}", end="")
    print(f"{median(one.seconds for one in theirs):12.1f}")
    for service in COMMON:
        row = (median(one.megabytes[service] for one in runs) for runs in (ours, theirs))
        print(f"{service + ', MB':26}" + "".join(f"{value:12.0f}" for value in row))


if __name__ == "__main__":
    main()
