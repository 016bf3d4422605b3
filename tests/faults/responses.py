"""How the ledger's upstream misbehaves."""

from __future__ import annotations

import gzip
import time

from tests.faults.ledger import Handler, Misbehaviour


def _html(handler: Handler) -> None:
    handler.send_response(502)
    handler.end_headers()
    handler.wfile.write(b"<html>Bad gateway</html>")
    handler.close_connection = True


def _endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.end_headers()
    handler.wfile.write(b'{"rows": [')
    while True:  # until the client hangs up
        handler.wfile.write(b'{"id": "x"}, ' * 5000)


def _drip(handler: Handler) -> None:
    """Send a byte from time to time, never so late that it counts as silence."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(1000):
        handler.wfile.write(b" ")
        time.sleep(1)


BOMB = gzip.compress(b" " * 200_000_000)

TRANSIENT: dict[str, Misbehaviour] = {
    "cut": lambda handler, rows: handler.answer({"rows": rows}, announced=100_000),
    "reset": lambda handler, _: handler.reset(),
    "busy": lambda handler, _: handler.answer({"detail": "busy"}, 503),
    "limited": lambda handler, _: handler.answer({"detail": "slow down"}, 429),
    "html": lambda handler, _: _html(handler),
    "empty": lambda handler, _: handler.send(200, b""),
    "drip": lambda handler, _: _drip(handler),
    "busy envelope": lambda handler, _: handler.answer({"error": "temporarily unavailable"}),
}
"""What a repeated call, or the next try, gets over."""

PERMANENT: dict[str, Misbehaviour] = {
    "forbidden": lambda handler, _: handler.answer({"detail": "no"}, 403),
    "redirect": lambda handler, _: handler.send(302, b"", location="http://169.254.169.254/rows"),
    "error envelope": lambda handler, _: handler.answer({"error": {"message": "no such table"}}),
    "wrong type": lambda handler, _: handler.answer({"rows": "none"}),
    "not an object": lambda handler, _: handler.answer([1, 2]),
    "too deep": lambda handler, _: handler.send(200, b"[" * 5000 + b"]" * 5000),
    "not UTF-8": lambda handler, _: handler.send(200, b'{"rows": "\xff"}'),
    "gzip bomb": lambda handler, _: handler.send(200, BOMB, content_encoding="gzip"),
    "endless": lambda handler, _: _endless(handler),
}
"""What ends a run as failed, without a retry; the last try of the client decides."""
