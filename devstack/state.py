"""What the embedded stack keeps between runs: one folder with secrets, ports, logs and data."""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import json
import os
import pwd
import secrets
import shutil
import socket
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

from devstack.errors import StackError
from devstack.parses import Parses

REPOSITORY = Path(__file__).resolve().parent.parent
STATE_VARIABLE = "SPELLBOOK_STATE"
MINIMUM_FREE_BYTES = 500 * 1024**2
AWAITED_SECONDS = 3.0
PORT_TRIES = 100


@dataclass(frozen=True)
class State:
    """The folder ``.devstack`` (or ``$SPELLBOOK_STATE``); ignored by git, removed by ``make clean``."""

    root: Path

    @classmethod
    def current(cls) -> State:
        """Return the state in force, without a look at the disk."""
        return cls(Path(os.environ.get(STATE_VARIABLE) or REPOSITORY / ".devstack").absolute())

    @classmethod
    def open(cls, root: Path | None = None, *, to_use: bool = True) -> State:
        """Return the state in force, making its folder on first use.

        ``to_use=False`` is for a look at it and for its removal: that is no use of the stack, and needs no free space.

        Raises:
            StackError: if the folder can't be written or its disk is nearly full.
        """
        state = cls(root.absolute()) if root else cls.current()
        try:
            if not state.services.exists() and state.root.is_dir() and any(state.root.iterdir()):
                raise StackError(
                    f"{state.root} is not empty and no state folder of this stack, whose files `make clean` deletes. "
                    f"Set {STATE_VARIABLE} to a new folder."
                )
            for folder in (state.root, state.services, state.logs, state.airflow_home):
                folder.mkdir(parents=True, exist_ok=True)
            (state.root / "lock").touch()
            if to_use or not state.last_used.exists():
                state.last_used.touch()
        except PermissionError as error:
            raise StackError(
                f"{error.filename} can't be written: {_owned(Path(error.filename))}. Remove {state.root} as that user, "
                f"or set {STATE_VARIABLE} to a folder of yours."
            ) from error
        except OSError as error:
            if error.errno == errno.ENOSPC:
                raise _disk_full(state.root, 0) from error
            raise StackError(
                f"{state.root} can't be the state folder: {error.filename}: {error.strerror}. "
                f"Set {STATE_VARIABLE} to a folder of yours."
            ) from error
        free = shutil.disk_usage(state.root).free
        if to_use and free < MINIMUM_FREE_BYTES:
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
    def last_used(self) -> Path:
        """File whose modification time is the last use of the stack."""
        return self.root / "last-used"

    @property
    def parses(self) -> Parses:
        """Requests to parse DAG files, and their outcomes."""
        return Parses(self.airflow_home / "parse")

    def note_waiting(self) -> None:
        """Note that a command uses the stack and waits for Airflow, which then polls faster."""
        self.last_used.touch()
        (self.root / "awaited").touch()

    def is_awaited(self) -> bool:
        """Tell whether a command waited for Airflow within the last seconds."""
        try:
            return time.time() - (self.root / "awaited").stat().st_mtime < AWAITED_SECONDS
        except FileNotFoundError:
            return False

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the lock under which services are started and stopped; a second command waits for the first."""
        with _locked(self.root / "lock"):
            yield

    def secret(self, name: str) -> str:
        """Return the secret ``name``; it is generated once and kept in a file that only its owner can read."""
        return str(self._remember("secrets.json", name, lambda _: secrets.token_urlsafe(48)))

    def fernet_key(self) -> str:
        """Return the key that Airflow encrypts connections and variables with."""
        return str(
            self._remember("secrets.json", "fernet", lambda _: base64.urlsafe_b64encode(os.urandom(32)).decode())
        )

    def port(self, name: str, preferred: int = 0) -> int:
        """Return the TCP port of ``name``: the one it had before, else ``preferred`` if free, else any free one.

        No two names have the same one, although nothing may listen there yet.
        """
        return int(self._remember("ports.json", name, lambda others: free_port(preferred, others)))

    def forget_port(self, name: str) -> None:
        """Let the next :meth:`port` choose anew: something else took the port meanwhile."""
        path = self.root / "ports.json"
        with _locked(path.with_suffix(".lock")):
            known = _read(path)
            known.pop(name, None)
            _write(path, known)

    def _remember(self, file: str, key: str, make: Callable[[Collection[Any]], Any]) -> Any:
        path = self.root / file
        if key not in _read(path):
            with _locked(path.with_suffix(".lock")):
                known = _read(path)
                if key not in known:  # another command may have made it meanwhile
                    _write(path, known | {key: make(known.values())})
        return _read(path)[key]


def free_port(preferred: int = 0, others: Collection[int] = ()) -> int:
    """Return ``preferred`` if nothing listens there, else a free port on the loopback interface; none of ``others``."""
    for candidate in (preferred, *repeat(0, PORT_TRIES)):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", candidate)) as probe:
            if (port := int(probe.getsockname()[1])) not in others:
                return port
    raise StackError("no free TCP port is left on 127.0.0.1")


def port_is_free(port: int) -> bool:
    """Tell whether a server could listen on ``port``."""
    return free_port(port) == port


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _owned(path: Path) -> str:
    """Say whom the path belongs to, or else the nearest folder above it that can be seen."""
    for folder in (path, *path.parents):
        try:
            owner = folder.stat().st_uid
        except OSError:
            continue
        try:
            return f"{folder} belongs to {pwd.getpwuid(owner).pw_name}"
        except KeyError:
            return f"{folder} belongs to user {owner}"
    return f"whom {path} belongs to can't be seen"


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StackError(f"{path} is damaged ({error}); `make clean` starts afresh") from error
    if not isinstance(content, dict):
        raise StackError(f"{path} is damaged (it holds no JSON object); `make clean` starts afresh")
    return content


def _write(path: Path, content: dict[str, Any]) -> None:
    """Replace ``path`` in one step, so that a killed run leaves the old content."""
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
