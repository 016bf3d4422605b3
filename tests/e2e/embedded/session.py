"""``make up`` and ``make run`` started, read and interrupted as in a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from devstack.process import Record
from devstack.state import REPOSITORY, STATE_VARIABLE

GREETING = re.compile(r"(?P<url>http://\S+)\s+user (?P<user>\S+)\s+password (?P<password>\S+)")
RUN_LINK = re.compile(r"https?://[\w.:]+/dags/(?P<dag_id>\w+)/runs/(?P<run_id>[\w.:+-]+)")
COLOUR = re.compile(r"\x1b\[[\d;]*m")
START_SECONDS = 900
STOP_SECONDS = 300


@dataclass(frozen=True)
class Terminal:
    """A shell in which ``root`` is the folder of the stack's state, and recorded data replace the weather API."""

    root: Path

    def devstack(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run ``python -m devstack …`` to its end; return its exit code and output."""
        return subprocess.run(
            self._command(*arguments),
            cwd=REPOSITORY,
            env=self._environment() | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=START_SECONDS,
            check=False,
        )

    @contextmanager
    def up(self) -> Iterator[Up]:
        """Start ``python -m devstack up`` and wait for its greeting; if it still runs at the end, interrupt it.

        Raises:
            AssertionError: with its output, if it ends or prints none.
        """
        process, log = self.start()
        try:
            yield Up(self, process, log, _await_greeting(process, log))
        finally:
            if process.poll() is None:
                interrupt(process)

    def start(self) -> tuple[subprocess.Popen[bytes], Path]:
        """Start ``python -m devstack up``; return it and the file with its output."""
        log = self.root.with_suffix(".log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                self._command("up"),
                cwd=REPOSITORY,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=_accept_interrupts,
            )
        return process, log

    def family(self) -> list[psutil.Process]:
        """Return every process of the stack: the recorded ones and their children."""
        records = (Record.read(path) for path in (self.root / "services").glob("*.json"))
        heads = [head for record in records if record and (head := record.process())]
        return list(
            {member.pid: member for head in heads for member in (head, *head.children(recursive=True))}.values()
        )

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "devstack", *arguments]

    def _environment(self) -> dict[str, str]:
        return os.environ | {STATE_VARIABLE: str(self.root), "SPELLBOOK_UPSTREAM": "replay", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Up:
    """A running ``up`` that has printed its greeting."""

    terminal: Terminal
    process: subprocess.Popen[bytes]
    log: Path
    greeting: re.Match[str]

    @property
    def url(self) -> str:
        """The printed URL of the web UI."""
        return self.greeting["url"]

    @property
    def user(self) -> str:
        """The printed user name."""
        return self.greeting["user"]

    @property
    def password(self) -> str:
        """The printed password."""
        return self.greeting["password"]


@dataclass(frozen=True)
class FinishedRun:
    """A run of a DAG that ``devstack run`` has followed to its end; ``link`` is the printed URL."""

    dag_id: str
    run_id: str
    link: str
    exit_code: int
    output: str

    @classmethod
    def of(cls, process: subprocess.CompletedProcess[str]) -> FinishedRun:
        """Parse the command's output."""
        link = RUN_LINK.search(COLOUR.sub("", process.stdout))
        assert link, process.stdout
        return cls(link["dag_id"], link["run_id"], link[0], process.returncode, process.stdout)


def interrupt(process: subprocess.Popen[bytes]) -> int:
    """Press Ctrl-C: the terminal signals the foreground process group; return the exit code."""
    os.killpg(process.pid, signal.SIGINT)
    return process.wait(STOP_SECONDS)


def survivors(family: list[psutil.Process]) -> list[str]:
    """Return a line for each process that lives; a zombie has ended."""
    lines = []
    for member in family:
        with suppress(psutil.NoSuchProcess):
            if member.is_running() and member.status() != psutil.STATUS_ZOMBIE:
                lines.append(f"{member.pid} {' '.join(member.cmdline())}")
    return lines


def listeners(family: list[psutil.Process]) -> set[tuple[str, str, int]]:
    """Return process name, address and port of every TCP socket that a process of the family listens on."""
    listening = set()
    for member in family:
        with suppress(psutil.NoSuchProcess):  # task and parser processes are short-lived
            name = member.name()
            sockets = member.net_connections("tcp")
            listening |= {(name, *socket.laddr) for socket in sockets if socket.status == psutil.CONN_LISTEN}
    return listening


def _await_greeting(process: subprocess.Popen[bytes], log: Path) -> re.Match[str]:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        printed = log.read_text()
        if greeting := GREETING.search(printed):
            return greeting
        assert process.poll() is None, f"`up` ended with {process.returncode}:\n{printed}"
        time.sleep(0.2)
    raise AssertionError(f"`up` printed no URL and credentials in {START_SECONDS} s:\n{log.read_text()}")


def _accept_interrupts() -> None:
    """Restore the handler that shells disable in background jobs, so that Ctrl-C always works."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
