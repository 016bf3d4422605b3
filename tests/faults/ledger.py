"""The ledger: serves rows with unique ids, and records every step of every try; a test can hold a step back."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qs, urlsplit

from typing_extensions import override

from tests.faults import BUDGET_SECONDS, CALLS

ROWS_A_DAY = 40


@dataclass(frozen=True)
class Event:
    """A step that a try has reached; ``at`` is the monotonic time in seconds."""

    step: str
    task: str
    run: str
    attempt: int
    pid: int
    at: float


@dataclass
class Hold:
    """A step at which the first try that reaches it waits."""

    task: str
    step: str
    run: str
    reached: threading.Event = field(default_factory=threading.Event)
    released: threading.Event = field(default_factory=threading.Event)
    event: Event | None = None

    def matches(self, event: Event) -> bool:
        return not self.reached.is_set() and (self.task, self.step, self.run) == (event.task, event.step, event.run)


@dataclass
class HoldAll(Hold):
    """A step at which every try waits."""

    def matches(self, event: Event) -> bool:
        return not self.released.is_set() and self.step == event.step


class Server(ThreadingHTTPServer):
    """Logs no client that has hung up, which many of the faults make them do."""

    daemon_threads = True

    @override
    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


Misbehaviour: TypeAlias = "Callable[[Handler, list[dict[str, str]]], None]"
"""How the next request for rows is answered instead."""


class Ledger:
    """A server on the loopback interface, with what it has served and what was reported to it."""

    def __init__(self, port: int) -> None:
        self.events: list[Event] = []
        self.served: dict[str, set[str]] = {}
        self.opened: set[str] = set()
        self.misbehaviours: list[Misbehaviour] = []
        self.holds: list[Hold] = []
        self.calls: list[float] = []
        self.refused = 0
        self.lock = threading.Lock()
        server = Server(("127.0.0.1", port), Handler)
        vars(server)["ledger"] = self
        self._server = server
        threading.Thread(target=server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        for hold in self.holds:
            hold.released.set()
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def hold(self, run: str, task: str, step: str) -> Iterator[Hold]:
        """Hold back the first try that reaches a step; leaving the block releases it."""
        with self._holding(Hold(task, step, run)) as hold:
            yield hold

    @contextmanager
    def hold_all(self, step: str) -> Iterator[Hold]:
        """Hold back every try that reaches a step; leaving the block releases them."""
        with self._holding(HoldAll("", step, "")) as hold:
            yield hold

    @contextmanager
    def _holding(self, hold: Hold) -> Iterator[Hold]:
        with self.lock:
            self.holds.append(hold)
        try:
            yield hold
        finally:
            hold.released.set()

    def of(self, run: str, step: str = "", task: str = "") -> list[Event]:
        """Return a run's events in their order."""
        with self.lock:
            return [
                event
                for event in self.events
                if event.run == run and step in {"", event.step} and task in {"", event.task}
            ]

    def record(self, body: dict[str, Any]) -> None:
        event = Event(body["step"], body["task"], body["run"], body["try"], body["pid"], time.monotonic())
        with self.lock:
            self.events.append(event)
            held = [hold for hold in self.holds if hold.matches(event)]
            for hold in held:
                hold.event = event
                hold.reached.set()
        for hold in held:
            hold.released.wait()

    def is_in_budget(self) -> bool:
        """Count a call; return whether it is one of those allowed in the last :data:`BUDGET_SECONDS`."""
        now = time.monotonic()
        with self.lock:
            self.calls.append(now)
            allowed = sum(now - call < BUDGET_SECONDS for call in self.calls) <= CALLS
            self.refused += not allowed
        return allowed

    def rows(self, day: str) -> list[dict[str, str]]:
        rows = [{"id": f"{day}-{number:04d}"} for number in range(ROWS_A_DAY)]
        with self.lock:
            self.served.setdefault(day, set()).update(row["id"] for row in rows)
        return rows


class Handler(BaseHTTPRequestHandler):
    """``GET /rows?day=``, ``/source?since=``, ``/budget``, ``/open/<name>`` (404 until opened); ``POST /events``."""

    @property
    def ledger(self) -> Ledger:
        found: Ledger = vars(self.server)["ledger"]
        return found

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/rows":
            rows = self.ledger.rows(parse_qs(parts.query)["day"][0])
            if self.ledger.misbehaviours:
                return self.ledger.misbehaviours.pop(0)(self, rows)
            return self.answer({"rows": rows})
        if parts.path == "/source":
            day = parse_qs(parts.query)["since"][0]
            rows = [{"id": f"{day}-{number}"} for number in range(ROWS_A_DAY)]
            return self.answer({"data": rows, "total": ROWS_A_DAY, "next": None})
        if parts.path == "/budget":
            return self.answer({}, 200 if self.ledger.is_in_budget() else 429)
        is_open = parts.path.removeprefix("/open/") in self.ledger.opened
        return self.answer({}, 200 if is_open else 404)

    def do_POST(self) -> None:
        self.ledger.record(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.answer({})

    def answer(self, body: object, status: int = 200, *, announced: int | None = None) -> None:
        """Send JSON; ``announced`` is a wrong length."""
        self.send(status, json.dumps(body).encode(), announced=announced)

    def send(self, status: int, content: bytes, *, announced: int | None = None, **headers: str) -> None:
        """Send a body; ``announced`` is a wrong length."""
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(announced or len(content)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(content)

    def reset(self) -> None:
        """Close the connection without an answer."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Log nothing: the events say it."""
