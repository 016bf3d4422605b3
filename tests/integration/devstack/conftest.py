"""Stacks without Airflow, in separate folders, and a way to run code as an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from devstack.postgres import Postgres
from devstack.process import is_alive
from devstack.stack import Stack
from devstack.state import REPOSITORY, STATE_VARIABLE, State

ENSURE = """
import sys
from devstack.stack import Stack
from devstack.state import State
Stack(State.open(), durable=False).ensure(sys.argv[1:])
"""
AS_ORDINARY_USER = """
import os, pwd, sys, tempfile
from pathlib import Path
import psutil, psycopg
from devstack.__main__ import main
from devstack.errors import StackError
from devstack.postgres import Postgres
from devstack.state import State, free_port
if os.geteuid() == 0:
    account = pwd.getpwnam("nobody")
    os.setgroups([])
    os.setgid(account.pw_gid)
    os.setuid(account.pw_uid)
"""


def server(state: State) -> Postgres:
    """The database server of a state."""
    return Postgres.of(state, durable=False)


def family(stack: Stack) -> list[psutil.Process]:
    """Every process of the stack, children included."""
    heads = [psutil.Process(service.pid) for service in stack.status() if service.pid]
    return [member for head in heads for member in (head, *head.children(recursive=True))]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    return [process for process in processes if is_alive(process)]


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account can enter, unlike ``tmp_path``."""
    folder = Path(tempfile.mkdtemp(prefix="spellbook-test-")).resolve()
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def messages() -> list[str]:
    """The messages of the stack."""
    return []


@pytest.fixture
def stack(tmp_path: Path, messages: list[str]) -> Iterator[Stack]:
    """A stack that isn't running; whatever a test starts is stopped."""
    stack = Stack(State.open(tmp_path / "state"), durable=False, say=messages.append)
    yield stack
    stack.stop()
    server(stack.state).remove()


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack with the services that start quickly; for tests that don't change it."""
    stack = Stack(State.open(tmp_path_factory.mktemp("running")), durable=False)
    try:
        stack.ensure(("postgres", "sinks", "s3"))
        yield stack
    finally:
        stack.stop()
        server(stack.state).remove()


@pytest.fixture
def python() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start Python programs of the stack; each is ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def start(state: State, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        program = subprocess.Popen(
            [sys.executable, *arguments],
            env=inherited | {STATE_VARIABLE: str(state.root)} | environment,
            cwd=REPOSITORY,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        with program:  # closes its pipe and waits for it
            program.kill()


def as_ordinary_user(code: str, *arguments: str, **environment: str) -> str:
    """Run ``code`` as an ordinary user (``nobody``, if the tests run as root); return its output."""
    process = subprocess.run(
        [sys.executable, "-c", AS_ORDINARY_USER + code, *arguments],
        env=os.environ | {"PYTHONPATH": str(REPOSITORY)} | environment,
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout
