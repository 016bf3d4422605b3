"""A Slack webhook and a mail server that keep what they receive, and fail on request; Slack's limits hold."""

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

from devstack.slack import refusal


@dataclass
class Response:
    """Slack's response to a request: after ``delay`` seconds; the message is kept only if it is a 200."""

    status: int = 200
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    error: str = ""  # of the webhook's 400, or in the API's 200


class Slack(ThreadingHTTPServer):
    """An incoming webhook; ``responses`` are used first, then it accepts everything."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), SlackHandler)
        self.responses: list[Response] = []
        self.at_word: dict[str, Response] = {}  # for messages that contain the word
        self.down = False
        self.request_count = 0
        self.received: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/services/T/B/X"

    def respond(self, body: dict[str, Any]) -> Response:
        if self.responses:
            return self.responses.pop(0)
        if self.down:
            return Response(503)
        for word, response in self.at_word.items():
            if word in json.dumps(body):
                return response
        error = refusal(body)
        return Response(400, error=error) if error else Response()


class SlackHandler(BaseHTTPRequestHandler):
    server: Slack

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.request_count += 1
        response = self.server.respond(body)
        time.sleep(response.delay)
        try:
            self.send_response(response.status)
            for name, value in response.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(self._text(response))
        except OSError:
            self.close_connection = True
        else:
            if response.status == 200 and not response.delay and not response.error:
                self.server.received.append(body)

    def _text(self, response: Response) -> bytes:
        if "/api/" in self.path:
            return json.dumps({"ok": not response.error, "error": response.error}).encode()
        return b"ok" if response.status == 200 else (response.error or "not_ok").encode()

    def log_message(self, *_: object) -> None:
        """Keep the test's output clean."""


class Mail:
    """A mail server; while ``refusal`` is set it answers every message with it, and ``refused`` recipients so."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.refusal = ""
        self.refused: dict[str, str] = {}
        self.received: list[EmailMessage] = []
        self._controller: Controller | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        del server, session, options
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del server, session
        if self.refusal:
            return self.refusal
        content = envelope.content or b""
        assert isinstance(content, bytes)
        self.received.append(message_from_bytes(content, policy=policy.default))
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
