"""A server that gives the same answer to every request."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[int, str], bytes | tuple[bytes, dict[str, str]]]
"""Returns the body of a request, by its number, from 1, and its path; and further headers."""


@contextmanager
def answering(body: bytes | Answer, status: int = 200, **headers: str) -> Iterator[str]:
    """Serve ``body`` and yield the server's URL; ``content_type`` is the header ``Content-Type``."""
    calls = 0

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            nonlocal calls
            calls += 1
            answer = body if isinstance(body, bytes) else body(calls, self.path)
            content, more = (answer, {}) if isinstance(answer, bytes) else answer
            self.send_response(status)
            for name, value in ({"content_length": str(len(content))} | headers | more).items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
