"""The alert sinks of the embedded stack: a mail server and a Slack incoming webhook that store messages as files.

Both speak the real protocol. They store what they receive under ``--directory``: ``mail/*.eml`` as received and
``slack/*.json`` with the request body; the names sort by arrival.
"""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

import uvicorn
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from devstack.slack import Store, slack_app
from devstack.webhook import TOKEN_VARIABLE


class MailHandler:
    """Store each message that the SMTP server accepts."""

    def __init__(self, directory: Path) -> None:
        self._store = Store(directory, ".eml")

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Store the message, with the envelope's recipients added as headers."""
        del server, session
        head = "".join(f"X-Envelope-To: {recipient}\r\n" for recipient in envelope.rcpt_tos).encode()
        content = envelope.content or b""
        self._store.keep(head + (content if isinstance(content, bytes) else content.encode()))
        return "250 Message accepted for delivery"


def main() -> None:
    """Run both servers until stopped."""
    parser = argparse.ArgumentParser(prog="python -m devstack.sinks")
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--slack-port", type=int, required=True)
    arguments = parser.parse_args()
    mail = Controller(MailHandler(arguments.directory / "mail"), hostname="127.0.0.1", port=arguments.smtp_port)
    mail.start()
    try:
        app = slack_app(arguments.directory / "slack", os.environ[TOKEN_VARIABLE])
        config = uvicorn.Config(app, host="127.0.0.1", port=arguments.slack_port, log_level="warning")
        asyncio.run(uvicorn.Server(config).serve())
    finally:
        mail.stop()


if __name__ == "__main__":
    main()
