"""The REST client against a real HTTP server: a busy Airflow is retried, a refusal is raised at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from devstack.api import Airflow, RefusedError


class Server(ThreadingHTTPServer):
    """Answers with the next of ``statuses``, then with 200; records the methods of its requests."""

    statuses: list[int]
    requested: list[str]

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def respond(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        login = self.path == "/auth/token"
        if not login:
            self.server.requested.append(self.command)
        status = self.server.statuses.pop(0) if self.server.statuses and not login else 200
        body = json.dumps({"access_token": "t"} if login else {"detail": "Database error"}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def __getattr__(self, name: str) -> Any:
        """Every method gets the same response."""
        if name.startswith("do_"):
            return self.respond
        raise AttributeError(name)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as server:
        server.statuses, server.requested = [], []
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def test_a_busy_server_is_retried(server: Server) -> None:
    server.statuses = [500, 503]
    Airflow(server.url, "user", "password").get("/dags")
    assert server.requested == ["GET"] * 3


def test_a_server_whose_database_has_ended_is_not_retried(server: Server) -> None:
    server.statuses = [500, 500]
    with pytest.raises(RefusedError, match=r"refused GET /api/v2/dags \(500\): Database error"):
        Airflow(server.url, "user", "password", is_alive=lambda: False).get("/dags")
    assert server.requested == ["GET"]


@pytest.mark.parametrize(("method", "status"), [("GET", 404), ("POST", 500)])
def test_refusals_and_post_requests_are_not_retried(server: Server, method: str, status: int) -> None:
    server.statuses = [status]
    airflow = Airflow(server.url, "user", "password")
    with pytest.raises(RefusedError) as caught:
        airflow.get("/dags") if method == "GET" else airflow.post("/dags/a/dagRuns", {})
    assert caught.value.status == status
    assert server.requested == [method]
