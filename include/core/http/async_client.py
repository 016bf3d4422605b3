"""A call from a coroutine, by the rules of :mod:`include.core.http.client`: a trigger must not block its event loop."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aiohttp
from aiohttp.resolver import ThreadedResolver
from typing_extensions import override

from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.http.client import STANDARD_HEADERS, Limits
from include.core.http.responses import Answer, checked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import ResolveResult

    from include.core.http.egress import Egress

CHUNK = 64 * 1024


class GuardedResolver(ThreadedResolver):
    """Looks a name up and gives its addresses only if all of them may be called."""

    def __init__(self, egress: Egress) -> None:
        super().__init__()
        self.egress = egress

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses.

        Raises:
            ForbiddenAddressError: if one of them may not be called.
        """
        found = await super().resolve(host, port, family)
        for each in found:
            self.egress.check_address(host, each["host"])
        return found


@dataclass(frozen=True)
class AsyncHttpApi:
    """One upstream.

    Attributes:
        name: as messages call it.
        egress: where calls may go.
        limits: bounds of one call; there are no retries and no redirects.
        token: bearer token for the request's header; in no message or log.
        hints: what to do about a status, beside :data:`include.core.http.responses.HINTS`.
    """

    name: str
    egress: Egress
    limits: Limits
    token: str = field(default="", repr=False)
    hints: Mapping[int, str] = field(default_factory=dict)

    async def call(self, method: str, url: str) -> str:
        """Return the answer's text, which is complete JSON.

        Raises:
            ForbiddenAddressError: ``url`` leads where no call may go.
            PermanentUpstreamError: the API refuses the request; the message says what to fix.
            TransientUpstreamError: no usable answer within the limits.
        """
        self.egress.check(url)
        host = urlsplit(url).hostname or ""
        if _is_address(host):  # no resolver is asked for it
            self.egress.check_address(host, host)
        try:
            answer = await self._ask(method, url)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"{self.name} at {url}: {self._shown(repr(error))}"
        else:
            return checked(self.name, url, answer, self.hints, self._shown).text
        raise TransientUpstreamError(problem)

    async def _ask(self, method: str, url: str) -> Answer:
        headers = STANDARD_HEADERS | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        timeout = aiohttp.ClientTimeout(
            total=self.limits.deadline, sock_connect=self.limits.connect, sock_read=self.limits.silence
        )
        connector = aiohttp.TCPConnector(resolver=GuardedResolver(self.egress))
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.request(method, url, headers=headers, allow_redirects=False) as response,
        ):
            body = bytearray()
            async for piece in response.content.iter_chunked(CHUNK):
                body += piece
                if len(body) > self.limits.size:
                    raise PermanentUpstreamError(
                        f"{self.name} at {url}: the answer is larger than {self.limits.size} bytes"
                    )
            return Answer(response.status, response.headers, body.decode("utf-8", errors="replace"))

    def _shown(self, text: str) -> str:
        return text.replace(self.token, "***") if self.token else text


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
