"""A budget of 60 calls a minute, shared by four workers.

Four processes make 45 calls each to a server that admits 60 in any minute, and answers others with 429. Ours books each
call in PostgreSQL; the baseline limits each process to 60 a minute, as a limiter in the process's memory does. The
limit is what the budget allows: 60 at once, and 60 more each minute.
"""

from __future__ import annotations

import multiprocessing
import tempfile
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import requests

from benchmarks.comparison import Comparison, Goal, Role, Series
from devstack.postgres import WAREHOUSE, Postgres
from devstack.state import free_port
from devstack.upstreams.ratelimit import SlidingWindow
from include.core.http.rate_limit import RateLimiter

CALLS, SECONDS = 60, 60.0
WORKERS, EACH = 4, 45
LEAST = SECONDS * ((WORKERS * EACH - 1) // CALLS)
USED = 0.9


class Api(ThreadingHTTPServer):
    """A server with a budget; counts the calls that it admitted and refused."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.window = SlidingWindow(CALLS, SECONDS)
        self.lock = threading.Lock()
        self.refused = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        with self.server.lock:
            admitted = self.server.window.admit("all")
            self.server.refused += not admitted
        self.send_response(200 if admitted else 429)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_request(self, *_: object) -> None:
        """Write nothing."""


def compare(repeats: int) -> list[Comparison]:
    """Measure once, since each takes minutes and is bounded by the budget, not by the machine."""
    del repeats
    with tempfile.TemporaryDirectory(prefix="spellbook-budget-") as scratch:
        Path(scratch).chmod(0o755)
        server = Postgres(Path(scratch, "cluster"), free_port(), "benchmark", durable=True)
        server.start()
        try:
            server.prepare_warehouse()
            ours, refused = _measure(_shared, server.uri(WAREHOUSE))
        finally:
            server.remove()
    alone, too_many = _measure(_alone, "")
    return [
        Comparison(
            f"{WORKERS * EACH} calls",
            "s",
            (
                Series(Role.OURS, "", [ours]),
                Series(Role.BASELINE, "a limiter in each process, and calls repeated after 429", [alone]),
                Series(Role.LIMIT, "", [LEAST]),
            ),
            Goal(at_most=1 / USED, of=Role.LIMIT),
        ),
        Comparison(
            "calls answered with 429",
            "calls",
            (Series(Role.OURS, "", [refused]), Series(Role.BASELINE, "", [too_many])),
            Goal(at_most=0),
        ),
    ]


def _measure(worker: Callable[[str, str], None], uri: str) -> tuple[float, int]:
    """Return the seconds until all workers have ended, and how many calls were refused."""
    api = Api()
    threading.Thread(target=api.serve_forever, daemon=True).start()
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=worker, args=(api.url, uri)) for _ in range(WORKERS)]
    started_at = time.monotonic()
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    seconds = time.monotonic() - started_at
    api.shutdown()
    api.server_close()
    return seconds, api.refused


def _shared(url: str, uri: str) -> None:
    limiter = RateLimiter(uri, "benchmark", calls=CALLS, seconds=SECONDS)
    for _ in range(EACH):
        limiter.acquire(timeout=600)
        requests.get(url, timeout=60).raise_for_status()


def _alone(url: str, uri: str) -> None:
    del uri
    window = SlidingWindow(CALLS, SECONDS)
    for _ in range(EACH):
        while not window.admit("own") or not requests.get(url, timeout=60).ok:
            time.sleep(1)
