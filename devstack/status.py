"""``make status``: the services of a stack, and the commands that use it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Literal

import psutil
from pydantic import Field
from rich.console import Console
from rich.table import Table

from devstack.process import Record
from devstack.stack import Stack
from include.core.warehouse.preview.model import Strict


class ServiceStatus(Strict):
    """A service of the stack."""

    name: str
    state: Literal["running", "stopped"]
    pid: int | None
    ports: dict[str, int]
    log: Annotated[str, Field(description="Its log file, which exists once it was started.")]


class Command(Strict):
    """A running command."""

    pid: int
    command: Annotated[str, Field(description="Its first words, such as `run weather_data_pipeline`.")]


class StatusDocument(Strict):
    """What ``make status JSON=1`` prints: docs/status.schema.json, which stays compatible."""

    root: Annotated[str, Field(description="The stack's state folder.")]
    logs: str
    idle_seconds: Annotated[float, Field(description="Since its last use; an idle stack stops by itself.")]
    services: list[ServiceStatus]
    up: Annotated[Command | None, Field(description="The `make up` that runs the stack until Ctrl-C.")]
    waiting: Annotated[list[Command], Field(description="Commands that wait for Airflow, such as `make run`.")]


def status(stack: Stack) -> StatusDocument:
    """Return the state of a stack, whether or not it runs."""
    state = stack.state
    up = Record.read(state.services / "up.json")
    return StatusDocument(
        root=str(state.root),
        logs=str(state.logs),
        idle_seconds=max(0.0, time.time() - state.last_used.stat().st_mtime),
        services=[
            ServiceStatus(
                name=service.name,
                state="running" if service.pid else "stopped",
                pid=service.pid,
                ports=service.ports,
                log=service.log,
            )
            for service in stack.status()
        ],
        up=_command(up.pid) if up and up.process() else None,
        waiting=[command for pid in state.waiting() if (command := _command(pid))],
    )


def show(console: Console, document: StatusDocument) -> None:
    """Print it as a table."""
    table = Table(title=f"Embedded stack in {document.root}", title_justify="left")
    for heading in ("service", "state", "ports", "log"):
        table.add_column(heading, overflow="fold")
    for service in document.services:
        running = f"[green]running[/] ({service.pid})" if service.pid else "stopped"
        ports = ", ".join(f"{name} {port}" for name, port in service.ports.items())
        table.add_row(service.name, running, ports, Path(service.log).name)
    console.print(table)
    for command in (*([document.up] if document.up else ()), *document.waiting):
        console.print(f"in use by `{command.command}`, process {command.pid}", markup=False, highlight=False)
    console.print(f"logs: {document.logs}   idle since {document.idle_seconds:.0f} s")


def _command(pid: int) -> Command | None:
    """Return a process with its subcommand and its first argument: later ones may be private."""
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return None
    words = words[words.index("devstack") + 1 :] if "devstack" in words else [Path(word).name for word in words]
    return Command(pid=pid, command=" ".join(words[:2]))
