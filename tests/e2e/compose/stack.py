"""``docker compose up`` of a copy of the repository, with its own project name, port and image."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config

from devstack.api import Airflow
from devstack.state import REPOSITORY
from devstack.waiting import wait_for

START_SECONDS = 1200
POLL_SECONDS = 0.5
STALLED = 600  # seconds without any change in the whole stack
SOON = 180  # seconds; usually a few, but more while all DAGs run
PLANTED = Path(__file__).parent / "planted"
OVERRIDE = "docker-compose.override.yaml"
WITHOUT_STANDIN = {"grafana", "elasticsearch", "spark-master", "spark-worker"}


@dataclass
class Compose:
    """One Compose project.

    Attributes:
        folder: a copy of the files of a clone.
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
            AssertionError: with its output, if it fails and ``check`` is set.
        """
        return self._call(["docker", "compose", *arguments], check, seconds)

    def deploy(self, *arguments: str) -> None:
        """Update the running stack to the folder's content and the settings.

        Raises:
            AssertionError: with its output, if it fails.
        """
        self._call(["deploy/compose/deploy", *arguments], check=True, seconds=START_SECONDS)

    def _call(self, command: list[str], check: bool, seconds: float) -> subprocess.CompletedProcess[str]:
        process = subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert not check or process.returncode == 0, f"{' '.join(command)}\n{process.stdout}\n{process.stderr}"
        return process

    @property
    def environment(self) -> dict[str, str]:
        """The environment of ``docker compose``: the caller's, without our own variables except those set here."""
        base = {name: value for name, value in os.environ.items() if not name.startswith(("SPELLBOOK_", "COMPOSE_"))}
        own = {
            "COMPOSE_PROJECT_NAME": self.project,
            "COMPOSE_ENV_FILES": "deploy/demo.env",
            "SPELLBOOK_PORT": str(self.port),
            "SPELLBOOK_IMAGE": f"spellbook:{self.project}",
        }
        return base | own | self.settings

    def up(self, *arguments: str) -> float:
        """Start everything and wait until it is healthy; return the seconds that this took."""
        started_at = time.monotonic()
        process = self.run("up", "--detach", "--wait", *arguments, check=False, seconds=START_SECONDS)
        assert process.returncode == 0, f"{process.stderr}\n{self.unhealthy_logs()}"
        return time.monotonic() - started_at

    def unhealthy_logs(self) -> str:
        """Return the last log lines of every container that isn't healthy."""
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
        """Return the output of ``docker compose ps --all`` for each container."""
        printed = self.run("ps", "--all", "--format", "json").stdout
        return [json.loads(line) for line in printed.splitlines()]

    def inspect(self) -> dict[str, dict[str, Any]]:
        """Return the output of ``docker inspect`` for each running container, by service."""
        names = {item["Service"]: item["Name"] for item in self.containers() if item["State"] == "running"}
        details = json.loads(
            subprocess.run(
                ["docker", "inspect", *names.values()], capture_output=True, text=True, check=True, timeout=60
            ).stdout
        )
        return dict(zip(names, details, strict=True))

    def address(self, service: str, port: int) -> str:
        """Return the URL of a service in the stack's network, which the engine's own host can reach."""
        networks = self.inspect()[service]["NetworkSettings"]["Networks"]
        return f"http://{next(iter(networks.values()))['IPAddress']}:{port}"

    def inside(self, service: str, *command: str, check: bool = True) -> str:
        """Run a command in a running container; return its output."""
        process = self.run("exec", "--no-TTY", service, *command, check=check)
        return process.stdout + process.stderr

    def objects(self, prefix: str) -> list[str]:
        """Return the keys with a prefix in the S3 server's bucket."""
        config = Config(signature_version=UNSIGNED, region_name="us-east-1")
        client = boto3.client("s3", endpoint_url=self.address("s3", 8333), config=config)
        pages = client.get_paginator("list_objects_v2").paginate(Bucket="spellbook", Prefix=prefix)
        return [item["Key"] for page in pages for item in page.get("Contents", ())]

    def query(self, server: str, database: str, statement: str) -> list[tuple[str, ...]]:
        """Query one of the two PostgreSQL servers; return the rows as text."""
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
    """Copy every file that git doesn't ignore, including uncommitted changes; return the folder."""
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


def finish(airflow: Airflow, dag_id: str, run_id: str) -> str:
    """Wait until a run has ended, as long as the stack's tasks make progress; return its state.

    Raises:
        StackError: if no task of the stack has changed its state for ten minutes, with the states of the run's tasks.
    """

    def ended() -> str | None:
        state = str(airflow.get(f"/dags/{dag_id}/dagRuns/{run_id}")["state"])
        return state if state in {"success", "failed"} else None

    def states() -> dict[str, str]:
        return {task["task_id"]: task["state"] for task in airflow.task_instances(dag_id, run_id)}

    def changes() -> list[int]:
        every = "/dags/~/dagRuns/~/taskInstances"
        return [airflow.get(every, state=state, limit=1)["total_entries"] for state in ("running", "success", "failed")]

    run = f"{dag_id} {run_id} to end"
    state = wait_for(ended, run, progress=changes, hint=lambda: str(states()), stalled=STALLED, poll=POLL_SECONDS)
    assert state
    return state


def trigger(airflow: Airflow, dag_id: str, **body: Any) -> str:
    """Unpause a DAG and start a run of it; return the run id."""
    airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
    return str(airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None, **body})["dag_run_id"])


def soon(condition: Callable[[], bool], description: str) -> float:
    """Wait until the condition is true; return the seconds that this took."""
    started_at = time.monotonic()
    while not condition():
        assert time.monotonic() - started_at < SOON, f"not after {SOON} s: {description}"
        time.sleep(POLL_SECONDS)
    return time.monotonic() - started_at


@contextmanager
def planted(compose: Compose, *names: str) -> Iterator[None]:
    """Put DAG files of ``planted/`` into the stack's ``dags/``, and wait until their DAGs are listed."""
    files = [Path(shutil.copy(PLANTED / f"{name}.py", compose.folder / "dags")) for name in names]
    airflow = compose.airflow()
    try:
        for name in names:
            soon(partial(_is_listed, airflow, name), f"the DAG {name} is listed")
        yield
    finally:
        for file in files:
            file.unlink()


def _is_listed(airflow: Airflow, dag_id: str) -> bool:
    return airflow.dag(dag_id) is not None
