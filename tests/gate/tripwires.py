"""What a DAG file does while it is parsed, other than defining DAGs.

An audit hook notes it as it happens, and the process is compared before and after: so a file that catches every error
can't hide it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from traceback import walk_stack
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from airflow.secrets import BaseSecretsBackend
from typing_extensions import override

from tests.gate.finding import Check, shown
from tests.gate.launch import ROOT
from tests.gate.process_state import ProcessState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

GATE = Path(__file__).resolve().parent
IMPORT = "import"
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

FIXES = {
    Check.NETWORK: "move the call into a task",
    Check.LOOKUP: "read it in a task",
    Check.PROCESS: "start processes in a task",
    Check.WRITING: "write files in a task",
    Check.EXIT: "remove it: it would end the process that parses the file",
    Check.THREAD: "start threads in a task that waits for their end",
    Check.ENVIRONMENT: "set variables where Airflow is started, or pass them to the operator (env=)",
    Check.DIRECTORY: "use absolute paths",
    Check.SIGNAL: "remove it: Airflow handles the signals of its processes",
}

NETWORK_EVENTS = frozenset(
    {
        "socket.connect",
        "socket.getaddrinfo",
        "socket.gethostbyaddr",
        "socket.gethostbyname",
        "socket.getnameinfo",
        "socket.sendmsg",
        "socket.sendto",
    }
)
PROCESS_EVENTS = frozenset(
    {"os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.spawn", "os.system", "pty.spawn", "subprocess.Popen"}
)
FILE_EVENTS = frozenset(
    {
        "open",
        "os.chmod",
        "os.chown",
        "os.link",
        "os.mkdir",
        "os.remove",
        "os.rename",
        "os.rmdir",
        "os.symlink",
        "os.truncate",
        "os.utime",
        "sqlite3.connect",
    }
)


class NetworkAtParseError(RuntimeError):
    """Code at a DAG file's top level tried to use the network."""


@dataclass(frozen=True)
class Place:
    """A line of this repository's code."""

    file: Path
    line: int

    def __str__(self) -> str:
        """Return where it is, as the end of a sentence."""
        return f" at {shown(self.file)}:{self.line}"


@dataclass(frozen=True)
class Note:
    """Something that was done while a file was parsed."""

    check: Check
    action: str
    place: Place | None

    @property
    def message(self) -> str:
        """What was done, and where."""
        return f"{self.action}{self.place or ''} while the file is parsed"


class _Notes:
    """What was done during a parse, once for each line and check; and the places that may explain later findings."""

    def __init__(self, watched: Iterable[str]) -> None:
        self.watched = frozenset(watched)
        self._noted: dict[tuple[Check, Place | None], Note] = {}
        self.places: dict[object, Place | None] = {}

    def add(self, action: str, check: Check, place: Place | None) -> None:
        self._noted.setdefault((check, place), Note(check, action, place))

    def has(self, check: Check) -> bool:
        return any(noted is check for noted, _ in self._noted)

    def __iter__(self) -> Iterator[Note]:
        return iter(self._noted.values())


@dataclass
class Noted:
    """What a file did: ``notes``, and the place of each import of a module by its name."""

    notes: list[Note] = field(default_factory=list)
    imports: dict[str, Place] = field(default_factory=dict)


_notes: _Notes | None = None


def block_network() -> None:
    """Refuse all network access of this process and its forks from now on."""
    sys.addaudithook(_audit)
    # libpq, written in C, connects without an event.
    for function in ("psycopg2._connect", "psycopg.generators.connect"):
        patch(function, lambda *_, **__: _refuse_network("connection to PostgreSQL")).start()


@contextmanager
def noting(watched: Iterable[str]) -> Iterator[Noted]:
    """Note what code does in this context, and where it imports the ``watched`` modules; filled when it ends."""
    global _notes
    noted = Noted()
    notes = _notes = _Notes(watched)
    before = ProcessState.now()
    observed = (
        (sys, "exit", lambda *_: notes.add("sys.exit is called", Check.EXIT, _place())),
        (os, "_exit", lambda *_: print(f"os._exit is called{_place() or ''}", file=sys.stderr, flush=True)),
        (signal, "signal", lambda number, _: notes.places.update({number: _place()})),
        (threading.Thread, "start", lambda _: notes.places.update(thread=_place())),
    )
    try:
        with ExitStack() as patches:
            for owner, name, observe in observed:
                patches.enter_context(patch.object(owner, name, _observed(getattr(owner, name), observe)))
            yield noted
    finally:
        _add_findings(notes, before, ProcessState.now())
        _notes = None
        noted.notes += notes
        noted.imports |= {name: place for key, place in notes.places.items() if place and (name := _module_in(key))}


def _observed(function: Callable[..., Any], observe: Callable[..., object]) -> Callable[..., Any]:
    def observed(*arguments: Any) -> Any:
        observe(*arguments)
        return function(*arguments)

    return observed


def _add_findings(notes: _Notes, before: ProcessState, after: ProcessState) -> None:
    def add(action: str, check: Check, cause: object) -> None:
        notes.add(action, check, notes.places.get(cause))

    for name in after.changed_variables(before):
        add(f"the environment variable {name} is changed", Check.ENVIRONMENT, name)
    for number in set(after.changed_handlers(before)) - {signal.SIGSEGV}:  # Airflow handles it during a parse
        add(f"the handler of {number.name} is replaced", Check.SIGNAL, number)
    if after.directory != before.directory:
        add(f"the working directory becomes {after.directory}", Check.DIRECTORY, "directory")
    if threads := after.new_threads(before):
        add(f"a thread that still runs ({', '.join(threads)}) is started", Check.THREAD, "thread")
    if after.children and not notes.has(Check.PROCESS):
        add("a process is started", Check.PROCESS, "library")


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in NETWORK_EVENTS:
        _refuse_network(f"{event} to {next((str(a) for a in arguments if isinstance(a, (str, tuple))), '?')}")
    if _notes is None:
        return
    if event in PROCESS_EVENTS:
        _notes.add(f"{event} of {_shown(arguments[0])}", Check.PROCESS, _place())
    elif event in FILE_EVENTS and not _is_harmless(event, *arguments):
        _notes.add(f"{event} of {_shown(arguments[0])}", Check.WRITING, _place())
    elif event in {"os.putenv", "os.unsetenv"}:
        _notes.places[os.fsdecode(arguments[0])] = _place()
    elif event == "os.chdir":
        _notes.places["directory"] = _place()
    elif event == "ctypes.dlsym":  # code that isn't Python may start a process
        _notes.places["library"] = _place()
    elif event == "import" and arguments[0] in _notes.watched:
        _notes.places.setdefault((IMPORT, arguments[0]), _place())


def _refuse_network(action: str) -> None:
    if _notes is not None:
        _notes.add(action, Check.NETWORK, _place())
    raise NetworkAtParseError(f"{action} while the file is parsed")


def _is_harmless(event: str, path: object, *arguments: Any) -> bool:
    """Return whether a file is only read, or is bytecode, or was judged when its descriptor was opened."""
    if isinstance(path, int) or (event == "open" and not arguments[1] & WRITING):
        return True
    name = _shown(path)
    return name == os.devnull or "__pycache__" in Path(name).parts


def _shown(argument: object) -> str:
    return os.fsdecode(argument) if isinstance(argument, (str, bytes, os.PathLike)) else str(argument)


class SecretsTripwire(BaseSecretsBackend):
    """An empty secrets backend that notes each read; Airflow tries it before any other."""

    @override
    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> None:
        _note_read(f"connection {conn_id!r}")

    @override
    def get_variable(self, key: str, team_name: str | None = None) -> None:
        _note_read(f"variable {key!r}")


def _note_read(what: str) -> None:
    if _notes is not None:
        _notes.add(f"{what} is read", Check.LOOKUP, _place())


def _place() -> Place | None:
    """Return the line of this repository's code that runs, if any."""
    for frame, line in walk_stack(sys._getframe()):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path.parent != GATE and "site-packages" not in path.parts:
            return Place(path, line)
    return None


def _module_in(key: object) -> str:
    return str(key[1]) if isinstance(key, tuple) and key[0] == IMPORT else ""
