"""Refuses requests to the API server whose JSON would stop another component or fill the metadata database.

Registered as a root middleware: the web UI's requests pass it as well. Of what workers send, only the runs that their
tasks trigger are checked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.json_limits import problem_in

if TYPE_CHECKING:
    from anyio import CapacityLimiter
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LARGEST_BODY = 2_000_000
LARGEST_BUFFERED = 50_000_000  # bytes of all bodies that arrive, or whose requests wait for their turn
PARSED_AT_ONCE = 2
BODY_SECONDS = 60
WITHOUT_BODY = {"GET", "HEAD", "OPTIONS"}
OF_WORKERS, TRIGGERED = "/execution/", "/execution/dag-runs/"
PUBLIC_API = "/api/v2/"
UNPROCESSABLE, TOO_LARGE, WRONG_TYPE, TOO_SLOW, UNAVAILABLE = 422, 413, 415, 408, 503


class GuardedRequests:
    """ASGI middleware that responds with 413 to a body that is too large, and with 422 to one beyond the limits.

    See :mod:`include.core.json_limits`. The response's ``detail`` names the field, its value and what is allowed. A
    body that doesn't arrive in a minute gets 408. A body without ``Content-Type: application/json`` gets 415, where
    Airflow would say that it isn't an object. Two bodies are parsed at a time; one that exceeds what all may take of
    the memory gets 503.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._buffered = 0  # bytes
        self._parsing: CapacityLimiter | None = None  # needs a running event loop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a request, and pass it on."""
        if scope["type"] != "http" or scope["method"] in WITHOUT_BODY or not _is_checked(scope):
            await self.app(scope, receive, send)
            return
        body = bytearray()
        try:
            await self._check(body, scope, receive, send)
        finally:
            self._buffered -= len(body)

    async def _check(self, body: bytearray, scope: Scope, receive: Receive, send: Send) -> None:
        from anyio import CapacityLimiter, move_on_after
        from anyio.to_thread import run_sync
        from starlette.responses import JSONResponse

        more = True
        with move_on_after(BODY_SECONDS):
            while more and len(body) <= LARGEST_BODY and self._buffered <= LARGEST_BUFFERED:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return
                part = message.get("body", b"")
                body += part
                self._buffered += len(part)
                more = message.get("more_body", False)
        if len(body) > LARGEST_BODY:
            detail = f"the request has more than {LARGEST_BODY} bytes"
            await JSONResponse({"detail": detail}, TOO_LARGE)(scope, receive, send)
            return
        if self._buffered > LARGEST_BUFFERED:
            detail = f"the requests that wait have more than {LARGEST_BUFFERED} bytes; try again later"
            await JSONResponse({"detail": detail}, UNAVAILABLE, {"Retry-After": "10"})(scope, receive, send)
            return
        if more:
            detail = f"the request's body didn't arrive within {BODY_SECONDS} s"
            await JSONResponse({"detail": detail}, TOO_SLOW, {"Connection": "close"})(scope, receive, send)
            return
        content = bytes(body)
        parsing = self._parsing = self._parsing or CapacityLimiter(PARSED_AT_ONCE)
        if problem := await run_sync(problem_in, content, limiter=parsing):
            await JSONResponse({"detail": problem}, UNPROCESSABLE)(scope, receive, send)
            return
        if body and _path(scope).startswith(PUBLIC_API) and not _is_json(scope):
            detail = "the request needs the header Content-Type: application/json"
            await JSONResponse({"detail": detail}, WRONG_TYPE)(scope, receive, send)
            return
        await self.app(scope, _replayed(content, receive), send)


def _is_checked(scope: Scope) -> bool:
    return not _path(scope).startswith(OF_WORKERS) or _path(scope).startswith(TRIGGERED)


def _is_json(scope: Scope) -> bool:
    media = (value.partition(b";")[0].strip().lower() for name, value in scope["headers"] if name == b"content-type")
    return any(kind.startswith(b"application/") and kind.endswith((b"/json", b"+json")) for kind in media)


def _path(scope: Scope) -> str:
    return str(scope["path"]).removeprefix(scope.get("root_path", ""))


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Return a function that receives the body again, and then what follows it."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive_again() -> Message:
        return messages.pop() if messages else await receive()

    return receive_again
