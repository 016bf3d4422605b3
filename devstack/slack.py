"""A Slack incoming webhook that stores the messages posted to it.

``python -m devstack.slack --host 0.0.0.0 --port 8000 --directory DIRECTORY`` runs it on its own.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import PlainTextResponse

from devstack.webhook import WEBHOOK_PATH

TOKEN_FILE = Path("/run/secrets/demo-key/value")


class Store:
    """A folder that stores each received message as a file; the names sort by arrival."""

    def __init__(self, directory: Path, suffix: str) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._directory, self._suffix, self._count = directory, suffix, itertools.count()

    def keep(self, content: bytes) -> None:
        """Write ``content`` to a new file, atomically."""
        name = f"{time.time_ns()}-{next(self._count):04d}"
        temporary = self._directory / f".{name}"
        temporary.write_bytes(content)
        temporary.replace(self._directory / f"{name}{self._suffix}")


def slack_app(directory: Path, token: str) -> FastAPI:
    """Return a server that responds like ``hooks.slack.com``.

    200 ``ok``; 403 ``invalid_token``; 400 ``invalid_payload`` or ``no_text``
    (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks#handling_errors).
    """
    app = FastAPI(openapi_url=None)
    store = Store(directory, ".json")

    @app.post(WEBHOOK_PATH.format(key="{key}"))
    async def webhook(key: str, request: Request) -> Response:
        if key != token:
            return PlainTextResponse("invalid_token", 403)
        body = await request.body()
        try:
            payload: dict[str, Any] = json.loads(body)
        except ValueError:
            return PlainTextResponse("invalid_payload", 400)
        if not isinstance(payload, dict):
            return PlainTextResponse("invalid_payload", 400)
        if not any(payload.get(field) for field in ("text", "blocks", "attachments")):
            return PlainTextResponse("no_text", 400)
        store.keep(body)
        return PlainTextResponse("ok")

    @app.get("/health")
    async def health() -> str:
        return "ok"

    return app


def main() -> None:
    """Serve until stopped."""
    parser = argparse.ArgumentParser(prog="python -m devstack.slack")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--directory", type=Path, required=True)
    parser.add_argument(
        "--token-file", type=Path, default=TOKEN_FILE, help="file with the last part of the webhook's path"
    )
    arguments = parser.parse_args()
    app = slack_app(arguments.directory, arguments.token_file.read_text().strip())
    uvicorn.run(app, host=arguments.host, port=arguments.port, access_log=False)  # the path contains the key


if __name__ == "__main__":
    main()
