"""Checks of the machine: interpreter, memory, disk, clock, container engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil

from devstack.doctor.setup import Problem, Setup
from devstack.environment import PREFERRED_UI_PORT
from devstack.state import MINIMUM_FREE_BYTES, port_is_free

PYTHONS = ((3, 11), (3, 12), (3, 13))
NEEDED_MEMORY = 1_500_000_000  # bytes; the embedded stack without MLflow
ENGINE_MEMORY = 4_000_000_000  # bytes; the Compose stack without profiles
COMPOSE = (2, 24)  # docs/compose.md
DAY = 86_400
LARGEST_PORT = 65_535


def python_version(_: Setup) -> Iterator[Problem]:
    """The interpreter is one that Airflow supports."""
    if sys.version_info[:2] not in PYTHONS:
        yield Problem(
            f".venv has Python {sys.version_info[0]}.{sys.version_info[1]}; Airflow needs 3.11, 3.12 or 3.13",
            "install one of them, then `make install PYTHON=/path/to/python3`",
        )


def memory(_: Setup) -> Iterator[Problem]:
    """The embedded stack fits into memory."""
    if (free := psutil.virtual_memory().available) < NEEDED_MEMORY:
        yield Problem(f"{free / 1e9:.1f} GB of memory are free; the stack needs 1.5", "close other programs")


def disk(setup: Setup) -> Iterator[Problem]:
    """The disk of the state folder has space."""
    folder = next(path for path in (setup.state.root, *setup.state.root.parents) if path.exists())
    if (free := shutil.disk_usage(folder).free) < MINIMUM_FREE_BYTES:
        yield Problem(
            f"the disk of {folder} has {free / 1e6:.0f} MB free; the stack needs {MINIMUM_FREE_BYTES / 1e6:.0f}",
            "free some space, or set SPELLBOOK_STATE to a folder on another disk",
        )


def clock(setup: Setup) -> Iterator[Problem]:
    """The clock isn't behind the files of the checkout."""
    newest = max((path for path in setup.root.iterdir() if path.is_file()), key=lambda path: path.stat().st_mtime)
    behind = newest.stat().st_mtime - time.time()
    if behind > DAY:
        yield Problem(
            f"{newest.name} is from {behind / DAY:.0f} days in the future: the machine's clock is behind",
            "set the clock (`timedatectl set-ntp true` on Linux); runs, tokens and certificates depend on it",
        )


def engine_memory(_: Setup) -> Iterator[Problem]:
    """The container engine, if one answers, has memory for the Compose stack."""
    size = json.loads(_docker("info", "--format", "{{json .}}") or "{}").get("MemTotal", 0)
    if 0 < size < ENGINE_MEMORY:
        yield Problem(
            f"the container engine has {size / 1e9:.1f} GB of memory; `docker compose up` needs 4",
            "give it more: Docker Desktop > Settings > Resources",
        )


def compose_version(_: Setup) -> Iterator[Problem]:
    """Docker Compose, if it is installed, is new enough."""
    version = _docker("compose", "version", "--short").strip().removeprefix("v")
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < COMPOSE:
        yield Problem(f"Docker Compose is version {version}; 2.24 or later is needed", "update Docker")


def compose_port(setup: Setup) -> Iterator[Problem]:
    """The port of the Compose stack's web UI is free, unless that stack or the embedded one has it."""
    given = setup.settings().get("SPELLBOOK_PORT") or str(PREFERRED_UI_PORT)
    if not given.isdecimal() or not 0 < int(given) <= LARGEST_PORT:
        yield Problem(f"SPELLBOOK_PORT isn't a port, 1 to {LARGEST_PORT}", "correct it, or leave it out for 8080")
        return
    port = int(given)
    if port_is_free(port) or not _docker("info"):
        return
    containers = _docker("ps", "--format", "{{.Ports}} {{.Labels}}").splitlines()
    is_ours = any(
        f":{port}->" in line and "com.docker.compose.service=airflow-apiserver" in line for line in containers
    )
    if not is_ours and port not in setup.state_file("ports.json").values():
        yield Problem(
            f"port {port} is taken by another program, so `docker compose up` can't publish the web UI",
            "stop that program, or set SPELLBOOK_PORT in .env to another port",
        )


def _docker(*arguments: str) -> str:
    """Return the output of ``docker``; empty if there is none, or no engine answers."""
    if not shutil.which("docker"):
        return ""
    try:
        process = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        return ""
    return process.stdout if process.returncode == 0 else ""
