"""``docker compose up`` of a copy of the repository, under a project name, port and image of its own."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import requests

from devstack.api import Airflow
from devstack.state import REPOSITORY

START_SECONDS = 600
POLL_SECONDS = 0.5
SOON = 30  # seconds
PLANTED = Path(__file__).parent / "planted"
WITHOUT_STANDIN = {"grafana", "elasticsearch", "spark-master", "spark-worker"}


@dataclass
class Compose:
    """One Compose project.

    Attributes:
        folder: a copy of what a clone would hold.
        project: name of the project; its containers, volumes and network begin with it.
        port: of the web UI on 127.0.0.1.
        settings: more environment variables of ``docker compose``.
    """

    folder: Path
    project: str
    port: int
    settings: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the web UI is."""
        return f"http://localhost:{self.port}"

    def run(self, *arguments: str, check: bool = True, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run ``docker compose …`` with the profile demo.

        Raises:
            AssertionError: with all that it printed, if it fails and ``check`` is set.
        """
        command = ["docker", "compose", "--project-name", self.project, "--env-file", "deploy/demo.env", *arguments]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
        return done

    @property
    def environment(self) -> dict[str, str]:
        """The environment of ``docker compose``: the caller's, with nothing of ours in it but what is set here."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SPELLBOOK_", "COMPOSE_"))}
        return kept | {"SPELLBOOK_PORT": str(self.port), "SPELLBOOK_IMAGE": f"spellbook:{self.project}"} | self.settings

    def up(self, *arguments: str) -> float:
        """Start everything and wait until it is healthy; return the seconds that this took."""
        begun = time.monotonic()
        done = self.run("up", "--detach", "--wait", *arguments, check=False, seconds=START_SECONDS)
        assert done.returncode == 0, f"{done.stderr}\n{self.complaints()}"
        return time.monotonic() - begun

    def complaints(self) -> str:
        """Return the last lines of every container that isn't well."""
        lines = []
        for container in self.containers():
            if container["State"] != "running" or container["Health"] not in {"", "healthy"}:
                log = self.run("logs", "--no-log-prefix", "--tail", "30", container["Service"], check=False).stdout
                lines.append(f"--- {container['Service']} {container['Status']}\n{log}")
        return "\n".join(lines)

    def images(self) -> list[str]:
        """Return the public images of every service that can run where there is no registry."""
        printed = self.run("--profile", "*", "config", "--format", "json").stdout
        used = {service: definition["image"] for service, definition in json.loads(printed)["services"].items()}
        own = self.environment["SPELLBOOK_IMAGE"]
        return [image for service, image in used.items() if image != own and service not in WITHOUT_STANDIN]

    def containers(self) -> list[dict[str, Any]]:
        """Return what ``docker compose ps --all`` says of each container."""
        printed = self.run("ps", "--all", "--format", "json").stdout
        return [json.loads(line) for line in printed.splitlines()]

    def inspect(self) -> dict[str, dict[str, Any]]:
        """Return what ``docker inspect`` says of each running container, by service."""
        names = {one["Service"]: one["Name"] for one in self.containers() if one["State"] == "running"}
        found = json.loads(
            subprocess.run(
                ["docker", "inspect", *names.values()], capture_output=True, text=True, check=True, timeout=60
            ).stdout
        )
        return dict(zip(names, found, strict=True))

    def address(self, service: str, port: int) -> str:
        """Return the URL of a service in the stack's network, which the engine's own host can reach."""
        networks = self.inspect()[service]["NetworkSettings"]["Networks"]
        return f"http://{next(iter(networks.values()))['IPAddress']}:{port}"

    def inside(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command in a running container; return what it printed."""
        done = self.run("exec", "--no-TTY", service, *command, check=check)
        return done.stdout + done.stderr

    def query(self, server: str, database: str, statement: str) -> list[tuple[str, ...]]:
        """Ask one of the two PostgreSQL servers; return the rows as text."""
        printed = self.inside(
            server, "psql", "--username=postgres", f"--dbname={database}", "-AtF\t", "--command", statement
        )
        return [tuple(line.split("\t")) for line in printed.splitlines()]

    @cached_property
    def password(self) -> str:
        """Of the user admin, as ``docker compose run --rm cli credentials`` prints it."""
        printed = self.run("run", "--rm", "--no-TTY", "cli", "credentials").stdout
        return next(line.split()[1] for line in printed.splitlines() if line.startswith("password"))

    @cached_property
    def secrets(self) -> dict[str, str]:
        """Every secret that isn't empty, by name."""
        script = 'cd /run/secrets && for name in *; do printf "%s\\t%s\\n" "$name" "$(cat "$name/value")"; done'
        printed = self.run("run", "--rm", "--no-TTY", "--entrypoint", "sh", "secrets", "-c", script).stdout
        pairs = (line.split("\t", 1) for line in printed.splitlines())
        return {name: value for name, value in pairs if value}

    def airflow(self) -> Airflow:
        """Log in as admin."""
        return Airflow(self.url, "admin", self.password)

    def remove(self) -> None:
        """Take everything down, data and image included."""
        self.run("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "5", check=False)
        subprocess.run(["docker", "rmi", self.environment["SPELLBOOK_IMAGE"]], capture_output=True, check=False)


def copy_of_the_repository(folder: Path) -> Path:
    """Copy every file that git would hand on, uncommitted changes included; return the folder."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (source := REPOSITORY / name).is_file():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    return folder


def free_port() -> int:
    """Return a TCP port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def finish(airflow: Airflow, dag_id: str, run_id: str, seconds: float = 240) -> str:
    """Wait until a run has ended; return its state.

    Raises:
        AssertionError: if it hasn't after ``seconds``, with the states of its tasks.
    """
    deadline = time.monotonic() + seconds
    while True:
        state = airflow.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"]
        if state in {"success", "failed"}:
            return str(state)
        if time.monotonic() > deadline:
            states = {task["task_id"]: task["state"] for task in airflow.task_instances(dag_id, run_id)}
            raise AssertionError(f"{dag_id} {run_id} is {state} after {seconds} s: {states}")
        time.sleep(POLL_SECONDS)


def trigger(airflow: Airflow, dag_id: str, **body: Any) -> str:
    """Unpause a DAG and start a run of it; return the run id."""
    airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
    return str(airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None, **body})["dag_run_id"])


def status_of(url: str, **headers: str) -> int:
    """Return the status with which a URL answers ``GET``."""
    return requests.get(url, headers=headers, timeout=30, allow_redirects=False).status_code


def soon(holds: Callable[[], bool], what: str) -> float:
    """Wait until it holds; return the seconds that this took."""
    begun = time.monotonic()
    while not holds():
        assert time.monotonic() - begun < SOON, f"not after {SOON} s: {what}"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - begun


@contextmanager
def planted(compose: Compose, *names: str) -> Iterator[None]:
    """Put DAG files of ``planted/`` into the stack's ``dags/``, and wait until their DAGs are there."""
    files = [Path(shutil.copy(PLANTED / f"{name}.py", compose.folder / "dags")) for name in names]
    airflow = compose.airflow()
    try:
        for name in names:
            soon(partial(_is_there, airflow, name), f"the DAG {name} is there")
        yield
    finally:
        for file in files:
            file.unlink()


def _is_there(airflow: Airflow, dag_id: str) -> bool:
    return airflow.dag(dag_id) is not None
