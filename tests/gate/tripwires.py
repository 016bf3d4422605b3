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
from pathlib import Path
from traceback import walk_stack
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from airflow.secrets import BaseSecretsBackend
from typing_extensions import override

from tests.gate.launch import ROOT
from tests.gate.process_state import ProcessState

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

GATE = Path(__file__).resolve().parent
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND

NETWORK = "move the call into a task"
PROCESSES = "start processes in a task"
FILES = "write files in a task"
EXITS = "remove it: it would end the process that parses the file"
THREADS = "start threads in a task that waits for their end"
VARIABLES = "set variables where Airflow is started, or pass them to the operator (env=)"
DIRECTORY = "use absolute paths"
HANDLERS = "remove it: Airflow handles the signals of its processes"

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


class _Notes:
    """What was done during a parse, once for each line and advice; and the lines that may explain later findings."""

    def __init__(self) -> None:
        self._noted: dict[tuple[str, str], str] = {}
        self.places: dict[object, str] = {}

    def add(self, action: str, advice: str, place: str | None = None) -> None:
        place = _place() if place is None else place
        self._noted.setdefault((advice, place), f"{action}{place} while the file is parsed; {advice}")

    def has(self, advice: str) -> bool:
        return any(noted == advice for noted, _ in self._noted)

    def __iter__(self) -> Iterator[str]:
        return iter(self._noted.values())


_notes: _Notes | None = None


def block_network() -> None:
    """Refuse all network access of this process and its forks from now on."""
    sys.addaudithook(_audit)
    # libpq, written in C, connects without an event.
    for function in ("psycopg2._connect", "psycopg.generators.connect"):
        patch(function, lambda *_, **__: _refuse_network("connection to PostgreSQL")).start()


@contextmanager
def noting() -> Iterator[list[str]]:
    """Note what code does in this context; the list is filled when the context ends."""
    global _notes
    problems: list[str] = []
    notes = _notes = _Notes()
    before = ProcessState.now()
    observed = (
        (sys, "exit", lambda *_: notes.add("sys.exit is called", EXITS)),
        (signal, "signal", lambda number, _: notes.places.update({number: _place()})),
        (threading.Thread, "start", lambda _: notes.places.update(thread=_place())),
    )
    try:
        with ExitStack() as patches:
            for owner, name, observe in observed:
                patches.enter_context(patch.object(owner, name, _observed(getattr(owner, name), observe)))
            yield problems
    finally:
        _add_findings(notes, before, ProcessState.now())
        _notes = None
        problems += notes


def _observed(function: Callable[..., Any], observe: Callable[..., object]) -> Callable[..., Any]:
    def observed(*arguments: Any) -> Any:
        observe(*arguments)
        return function(*arguments)

    return observed


def _add_findings(notes: _Notes, before: ProcessState, after: ProcessState) -> None:
    def add(action: str, advice: str, cause: object) -> None:
        notes.add(action, advice, notes.places.get(cause, ""))

    for name in after.changed_variables(before):
        add(f"the environment variable {name} is changed", VARIABLES, name)
    for number in set(after.changed_handlers(before)) - {signal.SIGSEGV}:  # Airflow handles it during a parse
        add(f"the handler of {number.name} is replaced", HANDLERS, number)
    if after.directory != before.directory:
        add(f"the working directory becomes {after.directory}", DIRECTORY, "directory")
    if threads := after.new_threads(before):
        add(f"a thread that still runs ({', '.join(threads)}) is started", THREADS, "thread")
    if after.children and not notes.has(PROCESSES):
        add("a process is started", PROCESSES, None)


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if event in NETWORK_EVENTS:
        _refuse_network(f"{event} to {next((str(a) for a in arguments if isinstance(a, (str, tuple))), '?')}")
    if _notes is None:
        return
    if event in PROCESS_EVENTS:
        _notes.add(f"{event} of {_shown(arguments[0])}", PROCESSES)
    elif event in FILE_EVENTS and not _is_harmless(event, *arguments):
        _notes.add(f"{event} of {_shown(arguments[0])}", FILES)
    elif event in {"os.putenv", "os.unsetenv"}:
        _notes.places[os.fsdecode(arguments[0])] = _place()
    elif event == "os.chdir":
        _notes.places["directory"] = _place()


def _refuse_network(action: str) -> None:
    if _notes is not None:
        _notes.add(action, NETWORK)
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
        _notes.add(f"{what} is read", "read it in a task")


def _place() -> str:
    """Return the line of this repository's code that runs, if any."""
    for frame, line in walk_stack(sys._getframe()):
        path = Path(frame.f_code.co_filename)
        if path.is_relative_to(ROOT) and path.parent != GATE and "site-packages" not in path.parts:
            return f" at {path.relative_to(ROOT)}:{line}"
    return ""
