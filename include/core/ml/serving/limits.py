"""What the server accepts of a request before it looks at its content: host, size, and the time it may take."""

from __future__ import annotations

import asyncio
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from fastapi import HTTPException, status
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers
from uvicorn.protocols.http.h11_impl import H11Protocol

from include.core.settings import MODEL_SERVER_HOSTS

if TYPE_CHECKING:
    from collections.abc import Collection

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

MAX_BYTES = 3 * 1024 * 1024  # 300 for each of the 10,000 rows
MAX_CONNECTIONS = 100  # further ones get 503
SECONDS = 10.0  # for the head of a request, for its body, and to receive a part of the response


class Limits:
    """Middleware that passes a request on only when its whole body has been received.

    A larger body is read to its end and dropped, so that the client sees the answer instead of a reset.

    Args:
        app: the application.
        hosts: names that the header ``Host`` may have, in lower case. Addresses are always allowed: only a name can be
            redirected to this server by somebody else's DNS.
        seconds: for the body, and to receive a part of the response.
    """

    def __init__(self, app: ASGIApp, hosts: Collection[str], seconds: float = SECONDS) -> None:
        self.app, self.hosts, self.seconds = app, hosts, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(self.seconds):
                await send(message)

        try:
            self._check_host(Headers(scope=scope).get("host", ""))
            body = await self._body(receive)
        except HTTPException as error:
            response = JSONResponse({"detail": error.detail}, error.status_code, {"Connection": "close"})
            await response(scope, receive, send_in_time)
            return
        messages = [{"type": "http.request", "body": body, "more_body": False}]

        async def receive_body() -> Message:
            return messages.pop() if messages else await receive()

        await self.app(scope, receive_body, send_in_time)

    def _check_host(self, host: str) -> None:
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            name = ""
        if name not in self.hosts and not _is_address(name):
            raise HTTPException(
                status.HTTP_421_MISDIRECTED_REQUEST,
                f"Host: {host[:100]!r}; allowed: addresses, {', '.join(self.hosts)}; add others to"
                f" {MODEL_SERVER_HOSTS.name}",
            )

    async def _body(self, receive: Receive) -> bytes:
        body, size = bytearray(), 0
        message: dict[str, Any] = {"more_body": True}
        try:
            async with asyncio.timeout(self.seconds):
                while message.get("more_body"):
                    message = dict(await receive())
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size <= MAX_BYTES:
                        body += chunk
        except TimeoutError:
            raise HTTPException(
                status.HTTP_408_REQUEST_TIMEOUT,
                f"the body wasn't complete after {self.seconds:g} s: {size} bytes received",
            ) from None
        if size > MAX_BYTES:
            raise HTTPException(
                status.HTTP_413_CONTENT_TOO_LARGE,
                f"the body has {size} bytes; at most {MAX_BYTES} are allowed: send fewer rows at once",
            )
        return bytes(body)


class TimelyProtocol(H11Protocol):
    """HTTP/1.1 on a connection that is closed if no complete head of a request arrives in time.

    Uvicorn itself limits only the silence after a response.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for the first request."""
        super().connection_made(transport)
        self._await_head()

    def on_response_complete(self) -> None:
        """Start to wait for the next request."""
        self._await_head()
        super().on_response_complete()

    def _await_head(self) -> None:
        self.loop.call_later(SECONDS, self._close_if_idle_since, self.cycle)

    def _close_if_idle_since(self, cycle: object) -> None:
        if self.cycle is cycle and not self.transport.is_closing():
            self.transport.close()


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
