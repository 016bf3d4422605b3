"""A limit on failed logins at the API, for every auth manager; FAB limits its login page by itself."""

from __future__ import annotations

import logging
import math
import time
from collections import OrderedDict, deque
from contextlib import suppress
from ipaddress import IPv4Address, ip_address, ip_network
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

PATHS = ("/auth/token", "/auth/token/cli")
FAILURES = 10
SECONDS = 60.0
CREATED, TOO_MANY = 201, 429
MAXIMUM_ADDRESSES = 10_000
MAXIMUM_LENGTH = 64

log = logging.getLogger(__name__)


class LoginLimit:
    """ASGI middleware: an address with ten failed logins within a minute gets status 429 until the minute is over.

    A login counts from its start until it succeeds, so attempts in parallel don't get around the limit. The addresses
    of an IPv6 network (/64) count as one. Each process of the API server counts by itself.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._attempts: OrderedDict[str, deque[float]] = OrderedDict()  # address → times of its failures

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request, or refuse it."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(PATHS):
            await self._app(scope, receive, send)
            return
        address = _network(scope["client"])
        attempts, now = self._recent(address), self._clock()
        if len(attempts) >= FAILURES:
            from starlette.responses import JSONResponse

            seconds = math.ceil(attempts[0] + SECONDS - now)
            detail = {"detail": f"too many failed logins; try again in {seconds} s"}
            await JSONResponse(detail, TOO_MANY, {"Retry-After": str(seconds)})(scope, receive, send)
            return
        attempts.append(now)
        if len(attempts) == FAILURES:
            log.warning("%s failed logins from %s within %.0f s: further ones are refused", FAILURES, address, SECONDS)

        async def count(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] == CREATED:
                with suppress(ValueError):  # it took longer than a minute
                    attempts.remove(now)
            await send(message)

        await self._app(scope, receive, count)

    def _recent(self, address: str) -> deque[float]:
        """Return the address's attempts of the last minute; forget the address that was seen longest ago if need be."""
        attempts = self._attempts.setdefault(address, deque())
        self._attempts.move_to_end(address)
        if len(self._attempts) > MAXIMUM_ADDRESSES:
            self._attempts.popitem(last=False)
        while attempts and attempts[0] <= self._clock() - SECONDS:
            attempts.popleft()
        return attempts


def _network(client: tuple[str, int] | None) -> str:
    """Return the client's address, or its network if it has a whole one; what a proxy named if that is no address."""
    host = client[0][:MAXIMUM_LENGTH] if client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if isinstance(address, IPv4Address):
        return str(address)
    return str(address.ipv4_mapped or ip_network((int(address), 64), strict=False))
