"""A connection that is missing is told from one that can't be read, by the API server's answer to Airflow's client."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from airflow.sdk.api.client import Client
from airflow.sdk.exceptions import AirflowSkipException
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import GetConnection
from airflow.sdk.execution_time.request_handlers import handle_get_connection
from tenacity import stop_after_attempt

from include.core.connections import UnreadableConnectionError, connection_exists
from include.core.dag import connection_or_skip

NOT_SET = dict.fromkeys(("schema", "login", "password", "port", "extra"))
FOUND = json.dumps({"conn_id": "mlflow_default", "conn_type": "http", "host": "localhost"} | NOT_SET).encode()
MISSING = json.dumps({"detail": {"reason": "not_found", "message": "no such connection"}}).encode()


class Api(ThreadingHTTPServer):
    """The task API; ``responses`` are used in order, the last one for ever. ``None`` closes the connection."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.responses: list[tuple[int, bytes] | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Api

    def do_GET(self) -> None:
        responses = self.server.responses
        response = responses.pop(0) if len(responses) > 1 else responses[0]
        if response is None:
            self.close_connection = True
            return
        status, body = response
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class Supervisor:
    """Answers a task's requests as Airflow's supervisor does: with Airflow's own client and handler."""

    def __init__(self, url: str) -> None:
        self.client = Client(base_url=url, token="", dry_run=False)

    def send(self, request: GetConnection) -> Any:
        response, _ = handle_get_connection(self.client, request)
        return response


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.delitem(os.environ, "AIRFLOW_CONN_MLFLOW_DEFAULT", raising=False)
    retries: Any = Client.request
    monkeypatch.setattr(retries.retry, "stop", stop_after_attempt(1))  # the real waits take half a minute
    with Api() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        supervisor = Supervisor(f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
        yield server
        server.shutdown()
        thread.join()


def test_a_connection_is_found(api: Api) -> None:
    api.responses = [(200, FOUND)]
    assert connection_exists("mlflow_default")
    assert connection_or_skip("mlflow_default").host == "localhost"


def test_a_missing_connection_is_skipped(api: Api) -> None:
    api.responses = [(404, MISSING)]
    assert not connection_exists("mlflow_default")
    with pytest.raises(AirflowSkipException, match="'mlflow_default' isn't configured"):
        connection_or_skip("mlflow_default")


@pytest.mark.parametrize("answer", [None, (500, b"{}"), (503, b""), (200, b"cut {")])
def test_a_lost_answer_is_no_missing_connection(api: Api, answer: tuple[int, bytes] | None) -> None:
    api.responses = [answer]
    with pytest.raises(UnreadableConnectionError, match="can't read connection 'mlflow_default'"):
        connection_or_skip("mlflow_default")


def test_an_answer_that_comes_late_is_no_missing_connection(api: Api) -> None:
    api.responses = [None, (200, FOUND)]
    with pytest.raises(UnreadableConnectionError, match="it has answered meanwhile"):
        connection_exists("mlflow_default")
