"""Background processes that outlive the command that started them, found again by their record."""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

_children: dict[int, subprocess.Popen[bytes]] = {}


def inherited_environment() -> dict[str, str]:
    """Return a copy of this process's environment; another thread may change it meanwhile, as pytest does."""
    return {name: value for name in list(os.environ) if (value := os.environ.get(name)) is not None}


@dataclass(frozen=True)
class Record:
    """The stored identity of a started process.

    ``created`` (seconds since the epoch) distinguishes it from a later process with the same id;
    ``fingerprint`` identifies the configuration that it was started with.
    """

    pid: int
    created: float
    fingerprint: str

    @classmethod
    def read(cls, path: Path) -> Record | None:
        """Return the record in ``path``; ``None`` if it is missing, or truncated by a killed run."""
        try:
            record = cls(**json.loads(path.read_text()))
            return cls(int(record.pid), float(record.created), record.fingerprint) if int(record.pid) > 0 else None
        except (FileNotFoundError, ValueError, TypeError):
            return None

    @classmethod
    def of(cls, pid: int, fingerprint: str) -> Record:
        """Return the record of a running process."""
        return cls(pid, psutil.Process(pid).create_time(), fingerprint)

    def write(self, path: Path) -> None:
        """Write the record to ``path``, atomically."""
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(asdict(self)))
        temporary.replace(path)

    def process(self) -> psutil.Process | None:
        """Return the process, or ``None`` if it has ended (even if another process has its id now)."""
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < 1
        except psutil.NoSuchProcess:
            return None
        return process if same and is_alive(process) else None


def keep_previous(file: Path, larger_than: int = -1) -> None:
    """Move what earlier starts wrote to a file aside, if it is larger than that many bytes."""
    if file.exists() and file.stat().st_size > larger_than:
        file.replace(file.with_suffix(f".previous{file.suffix}"))


def spawn(command: Sequence[str], log: Path, environment: Mapping[str, str], cwd: Path) -> int:
    """Start ``command`` in its own session with its output appended to ``log``; return its process id.

    Only this user can read what it writes.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=dict(environment),
            cwd=cwd,
            start_new_session=True,
            umask=0o077,
        )
    _children[child.pid] = child
    return child.pid


def is_alive(process: psutil.Process) -> bool:
    """Tell whether the process is running; a zombie is not."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def is_listening(process: psutil.Process, port: int) -> bool:
    """Tell whether the process, or a descendant of it, listens on a TCP port."""
    try:
        processes = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return False
    return any(_listens(member, port) for member in processes)


def _listens(process: psutil.Process, port: int) -> bool:
    try:
        connections = process.net_connections(kind="tcp")
    except (psutil.NoSuchProcess, psutil.AccessDenied):  # Airflow hides those that supervise a task; they don't listen
        return False
    return any(connection.status == psutil.CONN_LISTEN and connection.laddr.port == port for connection in connections)


def stop(process: psutil.Process, grace: float = 10) -> None:
    """Terminate a process and its descendants; kill those that still run after ``grace`` seconds."""
    try:
        processes = [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for force, timeout in ((False, grace), (True, 5.0)):
        for member in processes:
            _signal(member, force=force)
        deadline = time.monotonic() + timeout
        while (processes := [member for member in processes if is_alive(member)]) and time.monotonic() < deadline:
            time.sleep(0.02)
    _reap(process.pid)


@atexit.register
def _collect() -> None:
    """Collect the exit status of the children that have ended; the others keep running."""
    for child in _children.values():
        child.poll()


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        process.kill() if force else process.terminate()
    except psutil.NoSuchProcess:
        return


def _reap(pid: int) -> None:
    """Collect the exit status if this process started it."""
    child = _children.pop(pid, None)
    if child:
        child.wait()
