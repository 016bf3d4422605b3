"""An upstream with hostile answers, and a server that nobody may call."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

from typing_extensions import override

from tests.integration.hostile.inputs.responses import RESPONSES

LATER = "later"


class Server(ThreadingHTTPServer):
    """A server on 127.0.0.1 that counts connections, and requests by what they ask for."""

    daemon_threads = True

    def __init__(self, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.connections = 0
        self.requests: Counter[str] = Counter()
        self.internal = ""

    @override
    def verify_request(self, *_: object) -> bool:
        self.connections += 1
        return True

    @property
    def url(self) -> str:
        """Its URL."""
        return f"http://127.0.0.1:{self.server_port}"


class Hostile(BaseHTTPRequestHandler):
    """Answers a path that starts with the name of an answer; after ``later/``, the first request gets a 404."""

    server: Server

    def do_GET(self) -> None:
        """Send the response."""
        steps = unquote(urlsplit(self.path).path).strip("/").split("/")
        is_later = steps[0] == LATER
        key = "/".join(steps[: 1 + is_later])
        self.server.requests[key] += 1
        response = RESPONSES[steps[is_later]]
        if is_later and self.server.requests[key] == 1:
            self.send_error(404)
            return
        replaced = {
            b"@internal@": self.server.internal,
            b"@self@": self.path,
            b"@token@": self.headers.get("Authorization", ""),
        }
        body = response.body if isinstance(response.body, bytes) else response.body(self.server.requests[key])
        for mark, value in replaced.items():
            body = body.replace(mark, value.encode())
        with contextlib.suppress(OSError):  # the client has read enough
            self.send_response(response.status)
            for name, text in ({"Content-Length": str(len(body) + response.missing)} | response.headers).items():
                for mark, value in replaced.items():
                    text = text.replace(mark.decode(), value)
                self.send_header(name, text)
            self.end_headers()
            for chunk in (body[i : i + 1] for i in range(len(body))) if response.pause else [body]:
                self.wfile.write(chunk)
                time.sleep(response.pause)

    def log_message(self, *_: object) -> None:
        """Log nothing."""


@contextmanager
def running(handler: type[BaseHTTPRequestHandler]) -> Iterator[Server]:
    """Run a server."""
    with Server(handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def internal(content: bytes) -> type[BaseHTTPRequestHandler]:
    """Return the handler of a server that answers every request with ``content``."""

    class Internal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    return Internal
