"""Transport scenarios: faults before, during or instead of the genuine response."""

from __future__ import annotations

import asyncio
import socket
import struct
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from devstack.upstreams.answers import json_response, open_meteo_error, openweather_error, source_error
from devstack.upstreams.apis.openweather import LIMIT_EXCEEDED
from devstack.upstreams.scenarios import Call, scenario

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import ASGIApp, Receive, Scope, Send

STREAM_ERROR = b"Unexpected error while streaming data: The operation could not be completed."
MEGABYTE = 1_000_000

_MESSAGES = {
    429: ("Minutely API request limit exceeded. Please try again in one minute.", LIMIT_EXCEEDED),
    500: ("Something went wrong.", "Internal error"),
    503: ("The service is overloaded", "Service unavailable"),
}
"""Messages by status: Open-Meteo's, then all others'; no 5xx response of OpenWeather was recorded."""


def _error(call: Call, status: int, headers: dict[str, str] | None = None) -> Response:
    """Return an error in the format of the requested API."""
    path = call.request.url.path
    open_meteo, other = _MESSAGES.get(status, (f"Scenario: status {status}", f"Scenario: status {status}"))
    if path.startswith("/v1/"):
        return json_response(open_meteo_error(open_meteo), status, headers)
    form = openweather_error if path.startswith("/data/") else source_error
    return json_response(form(other, status), status, headers)


async def _wait_for_disconnect(receive: Receive) -> None:
    """Return when the client has disconnected."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _never_respond(_scope: Scope, receive: Receive, _send: Send) -> None:
    """Send nothing until the client disconnects."""
    await _wait_for_disconnect(receive)


async def _reset(scope: Scope, receive: Receive, _send: Send) -> None:
    """Close the connection with a TCP reset, using a linger time of 0."""
    transport = scope["state"]["transport"]
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
    await _wait_for_disconnect(receive)


@scenario
async def rate_limited(call: Call, *, retry_after: int = 2) -> Response:
    """429 with ``Retry-After`` in seconds."""
    return _error(call, 429, {"retry-after": str(retry_after)})


@scenario
async def rate_limited_http_date(call: Call, *, retry_after: int = 2) -> Response:
    """429 with ``Retry-After`` as an HTTP date, that many seconds from now."""
    when = datetime.now(UTC) + timedelta(seconds=retry_after)
    return _error(call, 429, {"retry-after": format_datetime(when, usegmt=True)})


@scenario
async def rate_limited_without_hint(call: Call) -> Response:
    """429 without ``Retry-After``, as both weather APIs send it."""
    return _error(call, 429)


@scenario
async def server_error(call: Call, *, status: int = 500) -> Response:
    """500, or the given status, in the API's error format."""
    return _error(call, status)


@scenario
async def client_error(call: Call, *, status: int = 400) -> Response:
    """400, or the given status (401, 403, 404, …), in the API's error format."""
    return _error(call, status)


@scenario
async def redirect(call: Call, *, to: str = "", status: int = 302) -> Response:
    """A redirect to the URL ``to``, or to the same request again."""
    return Response(status_code=status, headers={"location": to or str(call.request.url)})


@scenario
async def bad_gateway_html(_call: Call) -> Response:
    """502 with the HTML page of a proxy in front of the API."""
    page = (
        "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><h1>502 Bad Gateway</h1></body>\r\n</html>\r\n"
    )
    return Response(page, 502, {"content-type": "text/html"})


@scenario
async def connection_reset(_call: Call) -> ASGIApp:
    """A TCP reset (ECONNRESET) instead of a response."""
    return _reset


@scenario
async def hang(_call: Call) -> ASGIApp:
    """Accept the request and never respond."""
    return _never_respond


@scenario
async def answer_lost(call: Call) -> ASGIApp:
    """Carry out the request but never respond: the client can't know that it succeeded."""
    await call.respond()
    return _never_respond


@scenario
async def slow_bytes(call: Call, *, seconds: float = 5.0, pieces: int = 20) -> Response:
    """The genuine response in pieces: each arrives before a read timeout, the whole takes ``seconds``."""
    response = await call.respond()
    body = bytes(response.body)
    size = -(-len(body) // pieces)

    async def drip() -> AsyncIterator[bytes]:
        for start in range(0, len(body), size):
            await asyncio.sleep(seconds / pieces)
            yield body[start : start + size]

    return StreamingResponse(drip(), response.status_code, dict(response.headers))


@scenario
async def cut_json(call: Call, *, sent: float = 0.5) -> ASGIApp:
    """200, whose connection closes after a share of the announced bytes."""
    response = await call.respond()
    body = bytes(response.body)

    async def cut(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
        await send({"type": "http.response.body", "body": body[: int(len(body) * sent)], "more_body": True})
        scope["state"]["transport"].close()
        await _wait_for_disconnect(receive)

    return cut


@scenario
async def cut_json_streaming_error(call: Call, *, sent: float = 0.5) -> Response:
    """200, complete for HTTP, whose JSON is cut and ends with Open-Meteo's plain-text streaming error."""
    response = await call.respond()
    body = bytes(response.body)
    return Response(body[: int(len(body) * sent)] + STREAM_ERROR, response.status_code, media_type="application/json")


@scenario
async def oversized(call: Call, *, megabytes: int = 64) -> Response:
    """The genuine response followed by many megabytes of spaces, without a Content-Length: valid JSON, too large."""
    response = await call.respond()

    async def swell() -> AsyncIterator[bytes]:
        yield bytes(response.body)
        for _ in range(megabytes):
            yield b" " * MEGABYTE

    return StreamingResponse(swell(), response.status_code, media_type="application/json")
