"""A Slack incoming webhook that stores the messages posted to it, and refuses what Slack refuses.

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
# https://docs.slack.dev/reference/block-kit/blocks; the limit of all blocks together isn't documented, and lies at
# about 13,200 characters of text and containers (https://github.com/slackapi/bolt-js/issues/2509).
TEXT_LENGTH, BLOCKS_LENGTH, BLOCKS, FIELDS, ELEMENTS = 40_000, 13_200, 50, 10, 10
HEADER_LENGTH, SECTION_LENGTH, FIELD_LENGTH = 150, 3000, 2000


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


def refusal(payload: Any) -> str:
    """Return the error with which Slack refuses a message; empty if it accepts it."""
    if not isinstance(payload, dict):
        return "invalid_payload"
    if not any(payload.get(field) for field in ("text", "blocks", "attachments")):
        return "no_text"
    if len(payload.get("text") or "") > TEXT_LENGTH:
        return "msg_too_long"
    blocks = payload.get("blocks") or []
    if not isinstance(blocks, list) or len(blocks) > BLOCKS or not all(map(_is_valid, blocks)):
        return "invalid_blocks"
    return "msg_blocks_too_long" if len(json.dumps(blocks, ensure_ascii=False)) > BLOCKS_LENGTH else ""


def _is_valid(block: Any) -> bool:
    """Return whether Slack accepts a block; of the types that alerts use."""
    if not isinstance(block, dict):
        return False
    match block.get("type"):
        case "header":
            return _has_text(block.get("text"), HEADER_LENGTH)
        case "section":
            fields = block.get("fields", [])
            text = block.get("text")
            return (
                (text is not None or bool(fields))
                and (text is None or _has_text(text, SECTION_LENGTH))
                and len(fields) <= FIELDS
                and all(_has_text(field, FIELD_LENGTH) for field in fields)
            )
        case "context":
            elements = block.get("elements", [])
            return 1 <= len(elements) <= ELEMENTS and all(_has_text(element, SECTION_LENGTH) for element in elements)
        case "divider":
            return True
    return False


def _has_text(item: Any, length: int) -> bool:
    return isinstance(item, dict) and isinstance(item.get("text"), str) and 1 <= len(item["text"]) <= length


def slack_app(directory: Path, token: str) -> FastAPI:
    """Return a server that responds like ``hooks.slack.com``.

    200 ``ok``; 403 ``invalid_token``; 400 with the :func:`refusal`
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
            error = refusal(json.loads(body))
        except ValueError:
            error = "invalid_payload"
        if error:
            return PlainTextResponse(error, 400)
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
