"""Background processes that outlive the command that started them, and are found again by their record."""

from __future__ import annotations

import atexit
import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_children: dict[int, subprocess.Popen[bytes]] = {}


@dataclass(frozen=True)
class Record:
    """What is kept of a started process.

    ``created`` (seconds since the epoch) tells a process from a later one that got the same id;
    ``fingerprint`` tells what it was started with.
    """

    pid: int
    created: float
    fingerprint: str

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """Return the record in ``path``; ``None`` if there is none or a killed run left it cut short."""
        try:
            return cls(**json.loads(path.read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @classmethod
    def of(cls, pid: int, fingerprint: str) -> Record:
        """Return the record of a running process."""
        return cls(pid, psutil.Process(pid).create_time(), fingerprint)

    def write(self, path: Path) -> None:
        """Keep the record in ``path``."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(path)

    def process(self) -> psutil.Process | None:
        """Return the process, or ``None`` if it has ended (a stale record, or its id was taken by another)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1
        except psutil.NoSuchProcess:
            return None
        return process if same and lives(process) else None


def keep_previous(log: Path) -> None:
    """Put the log of the last start aside, so that what is read of it is about this one."""
    if log.exists():
        log.replace(log.with_suffix(".previous.log"))


def spawn(command: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path) -> int:
    """Start ``command`` in a session of its own, its output going to ``log``; return its process id."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
        )
    _children[child.pid] = child
    return child.pid


def lives(process: psutil.Process) -> bool:
    """Tell whether the process goes on; one that has ended but was not collected by its parent does not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def listens(process: psutil.Process, port: int) -> bool:
    """Tell whether the process, or one that it started, is what listens on a TCP port."""
    try:
        family = [process, *process.children(recursive=True)]
        return any(
            connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
            for member in family
            for connection in member.net_connections(kind="tcp")
        )
    except psutil.NoSuchProcess:
        return False


def stop(process: psutil.Process, grace: float = 10) -> None:
    """End a process and all that it started: politely, then after ``grace`` seconds by force."""
    try:
        family = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for force, patience in ((False, grace), (True, 5.0)):
        for member in family:
            _signal(member, force=force)
        deadline = time.monotonic() + patience
        while (family := [member for member in family if lives(member)]) and time.monotonic() < deadline:
            time.sleep(0.02)
    _reap(process.pid)


@atexit.register
def _collect() -> None:
    """Collect the exit status of the children that have ended; the others live on."""
    for child in _children.values():
        child.poll()


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        process.kill() if force else process.terminate()
    except psutil.NoSuchProcess:
        return


def _reap(pid: int) -> None:
    """Collect the exit status if the process was started by this one."""
    child = _children.pop(pid, None)
    if child:
        child.wait()
