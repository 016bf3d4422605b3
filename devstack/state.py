"""The state folder of the embedded stack: secrets, ports, logs and data, kept between runs."""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import json
import os
import pwd
import random
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devstack.errors import StackError
from devstack.parses import Parses
from devstack.scheduled_runs import ScheduledRuns

REPOSITORY = Path(__file__).resolve().parent.parent
STATE_VARIABLE = "SPELLBOOK_STATE"
MINIMUM_FREE_BYTES = 500 * 1024**2
AWAITED_SECONDS = 3.0
PORTS = range(20000, 32000)
"""Below the ephemeral ports of Linux and macOS: an outgoing connection could take one before its server starts."""


@dataclass(frozen=True)
class State:
    """The folder ``.devstack`` (or ``$SPELLBOOK_STATE``); ignored by git, removed by ``make clean``."""

    root: Path

    @classmethod
    def current(cls) -> State:
        """Return the current state folder without accessing the disk."""
        return cls(Path(os.environ.get(STATE_VARIABLE) or REPOSITORY / ".devstack").absolute())

    @classmethod
    def open(cls, root: Path | None = None, *, for_use: bool = True) -> State:
        """Return the current state folder, creating it on first use.

        ``for_use=False`` is for inspecting or removing it: that does not count as use and needs no free disk space.

        Raises:
            StackError: if the folder can't be written or its disk is nearly full.
        """
        state = cls(root.absolute()) if root else cls.current()
        try:
            if not state.services.exists() and state.root.is_dir() and any(state.root.iterdir()):
                raise StackError(
                    f"{state.root} is not empty and not a state folder; `make clean` would delete its files. "
                    f"Set {STATE_VARIABLE} to a new folder."
                )
            for folder in (state.root, state.services, state.logs, state.airflow_home, state.lineage.parent):
                folder.mkdir(parents=True, exist_ok=True)
            (state.root / "lock").touch()
            state.make_private()
            if for_use or not state.last_used.exists():
                state.last_used.touch()
        except PermissionError as error:
            raise StackError(
                f"{error.filename} can't be written: {_describe_owner(Path(error.filename))}. "
                f"Remove {state.root} as that user, or set {STATE_VARIABLE} to a folder that you own."
            ) from error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _disk_full(state.root, 0) from error
            raise StackError(
                f"{state.root} can't be the state folder: {error.filename}: {error.strerror}. "
                f"Set {STATE_VARIABLE} to a folder that you own."
            ) from error
        free = shutil.disk_usage(state.root).free
        if for_use and free < MINIMUM_FREE_BYTES:
            raise _disk_full(state.root, free)
        return state

    @property
    def services(self) -> Path:
        """Folder with one record per started service."""
        return self.root / "services"

    @property
    def logs(self) -> Path:
        """Folder with one log per service."""
        return self.root / "logs"

    @property
    def airflow_home(self) -> Path:
        """``AIRFLOW_HOME`` of the embedded Airflow."""
        return self.root / "airflow"

    @property
    def lineage(self) -> Path:
        """File with a line of JSON for each OpenLineage event."""
        return self.root / "lineage" / "events.jsonl"

    @property
    def last_used(self) -> Path:
        """File whose modification time is the time of the stack's last use."""
        return self.root / "last-used"

    @property
    def parses(self) -> Parses:
        """Requests to parse DAG files, and their outcomes."""
        return Parses(self.airflow_home / "parse")

    @property
    def scheduled_runs(self) -> ScheduledRuns:
        """Requests for scheduled runs, and the answers."""
        return ScheduledRuns(self.airflow_home / "scheduled_runs")

    def note_waiting(self) -> None:
        """Record that a command uses the stack and waits for Airflow, which then polls faster."""
        self.last_used.touch()
        (self.root / "awaited").touch()
        own = self.root / "waiting" / str(os.getpid())
        own.parent.mkdir(mode=0o700, exist_ok=True)
        own.touch()

    def is_awaited(self) -> bool:
        """Tell whether a command waited for Airflow within the last seconds."""
        try:
            return time.time() - (self.root / "awaited").stat().st_mtime < AWAITED_SECONDS
        except FileNotFoundError:
            return False

    def waiting(self) -> list[int]:
        """Return the process ids of the commands that waited for Airflow within the last seconds."""
        since = time.time() - AWAITED_SECONDS
        waiting = []
        for path in (self.root / "waiting").glob("[0-9]*"):
            with contextlib.suppress(FileNotFoundError):
                if path.stat().st_mtime > since:
                    waiting.append(int(path.name))
                else:
                    path.unlink()
        return sorted(waiting)

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock for starting and stopping services; a second command waits for the first."""
        with _locked(self.root / "lock"):
            yield

    def secret(self, name: str) -> str:
        """Return the secret ``name``, generated on first use and stored in a file that only its owner can read."""
        return str(self._remember("secrets.json", name, lambda _: secrets.token_urlsafe(48)))

    def fernet_key(self) -> str:
        """Return the key that Airflow encrypts connections and variables with."""
        return str(
            self._remember("secrets.json", "fernet", lambda _: base64.urlsafe_b64encode(os.urandom(32)).decode())
        )

    def port(self, name: str, preferred: int = 0) -> int:
        """Return the TCP port of ``name``: its previous one, else ``preferred`` if free, else any free one.

        No two names share a port, even if nothing listens there yet.
        """
        return int(self._remember("ports.json", name, lambda others: free_port(preferred, others)))

    def forget_port(self, name: str) -> None:
        """Make the next :meth:`port` choose another port, since another program took this one."""
        path = self.root / "ports.json"
        with _locked(path.with_suffix(".lock")):
            stored = _read(path)
            stored.pop(name, None)
            _write(path, stored)

    def make_private(self) -> None:
        """Let nobody else read what the folders hold; PostgreSQL's account, if it has one, must get through the first.

        Processes of the stack write without access for others (:func:`devstack.process.spawn`).
        """
        self.root.chmod(self.root.stat().st_mode & 0o711)
        for folder in (self.services, self.logs, self.airflow_home, self.lineage.parent):
            folder.chmod(0o700)

    def _remember(self, file: str, key: str, make: Callable[[Collection[Any]], Any]) -> Any:
        path = self.root / file
        if key not in _read(path):
            with _locked(path.with_suffix(".lock")):
                stored = _read(path)
                if key not in stored:  # another command may have created it in the meantime
                    _write(path, stored | {key: make(stored.values())})
        return _read(path)[key]


def free_port(preferred: int = 0, others: Collection[int] = ()) -> int:
    """Return ``preferred`` if nothing listens there, else a free loopback port; never one of ``others``."""
    first = [preferred] if preferred else []
    for candidate in (*first, *random.sample(PORTS, len(PORTS))):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", candidate)):
            if candidate not in others:
                return candidate
    raise StackError("no free TCP port is left on 127.0.0.1")


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on ``port``."""
    return free_port(port) == port


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _describe_owner(path: Path) -> str:
    """Describe the owner of the path, or of the nearest folder above it that is accessible."""
    for folder in (path, *path.parents):
        try:
            owner = folder.stat().st_uid
        except OSError:
            continue
        try:
            return f"{folder} belongs to {pwd.getpwuid(owner).pw_name}"
        except KeyError:
            return f"{folder} belongs to user {owner}"
    return f"the owner of {path} can't be determined"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StackError(f"{path} is corrupt ({error}); `make clean` deletes the state") from error
    if not isinstance(content, dict):
        raise StackError(f"{path} is corrupt (not a JSON object); `make clean` deletes the state")
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` atomically, so that a killed run leaves the old content."""
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    temporary.touch(mode=0o600)
    temporary.write_text(json.dumps(content, indent=1))
    temporary.replace(path)


def _disk_full(root: Path, free: int) -> StackError:
    return StackError(
        f"the disk that holds {root} has {free / 1024**2:.0f} MB free; "
        f"the stack needs {MINIMUM_FREE_BYTES / 1024**2:.0f} MB. "
        f"Free some space, or set {STATE_VARIABLE} to a folder on another disk."
    )
