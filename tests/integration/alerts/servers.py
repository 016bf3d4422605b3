"""A Slack webhook and a mail server that keep what they take, and fail as they are told."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Answer:
    """How Slack answers one request: after ``delay`` seconds, and without keeping the message unless it is a 200."""

    status: int = 200
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""  # what the API says in a 200


class Slack(ThreadingHTTPServer):
    """An incoming webhook; ``answers`` are used up first, then it takes everything."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SlackHandler)
        self.answers: list[Answer] = []
        self.down = False
        self.asked = 0
        self.taken: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/T/B/X"


class SlackHandler(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked += 1
        answer = self.server.answers.pop(0) if self.server.answers else Answer(503 if self.server.down else 200)
        time.sleep(answer.delay)
        try:
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(self._text(answer))
        except OSError:
            self.close_connection = True
        else:
            if answer.status == 200 and not answer.delay and not answer.error:
                self.server.taken.append(body)

    def _text(self, answer: Answer) -> bytes:
        if "/api/" in self.path:
            return json.dumps({"ok": not answer.error, "error": answer.error}).encode()
        return b"ok" if answer.status == 200 else b"not_ok"

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class Mail:
    """A mail server; while ``refusal`` is set it answers every message with it."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.refusal = ""
        self.taken: list[EmailMessage] = []
        self._controller: Controller | None = None

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del server, session
        if self.refusal:
            return self.refusal
        content = envelope.content or b""
        assert isinstance(content, bytes)
        self.taken.append(message_from_bytes(content, policy=policy.default))
        return "250 OK"

    def start(self) -> None:
        self._controller = Controller(self, hostname="127.0.0.1", port=self.port)
        self._controller.start()

    def stop(self) -> None:
        if self._controller:
            self._controller.stop()
            self._controller = None


def serve(slack: Slack) -> threading.Thread:
    thread = threading.Thread(target=slack.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    return thread
