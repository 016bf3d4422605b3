"""Async counterpart of :mod:`include.core.http.client` for triggers, which must not block their event loop."""

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
from include.core.http.responses import Response, check_response, read_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.abc import ResolveResult

    from include.core.http.egress import Egress

CHUNK = 64 * 1024


class GuardedResolver(ThreadedResolver):
    """Resolves a name, and returns its addresses only if all of them may be called."""

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
        results = await super().resolve(host, port, family)
        for result in results:
            self.egress.check_address(host, result["host"])
        return results


@dataclass(frozen=True)
class AsyncHttpApi:
    """An upstream API.

    Attributes:
        name: name used in messages.
        egress: where calls may go.
        limits: limits of one call; there are no retries and no redirects.
        token: bearer token; masked in messages and logs.
        hints: advice by status, in addition to :data:`include.core.http.responses.HINTS`.
    """

    name: str
    egress: Egress
    limits: Limits
    token: str = field(default="", repr=False)
    hints: Mapping[int, str] = field(default_factory=dict)

    async def call(self, method: str, url: str) -> str:
        """Return the text of the response, which is complete JSON.

        Raises:
            ForbiddenAddressError: ``url`` may not be called.
            PermanentUpstreamError: the API rejects the request; the message says what to fix.
            TransientUpstreamError: no usable response within the limits.
        """
        self.egress.check(url)
        host = urlsplit(url).hostname or ""
        if _is_address(host):  # the resolver isn't called for it
            self.egress.check_address(host, host)
        try:
            response = await self._request(method, url)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            problem = f"{self.name} at {url}: {self._mask(repr(error))}"
        else:
            return check_response(self.name, url, response, self.hints, self._mask).text
        raise TransientUpstreamError(problem)

    async def _request(self, method: str, url: str) -> Response:
        headers = STANDARD_HEADERS | ({"Authorization": f"Bearer {self.token}"} if self.token else {})
        timeout = aiohttp.ClientTimeout(
            total=self.limits.deadline, sock_connect=self.limits.connect, sock_read=self.limits.silence
        )
        connector = aiohttp.TCPConnector(resolver=GuardedResolver(self.egress))
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout, auto_decompress=False) as session,
            session.request(method, url, headers=headers, allow_redirects=False) as response,
        ):
            body = bytearray()
            async for chunk in response.content.iter_chunked(CHUNK):
                body += chunk
                if len(body) > self.limits.size:
                    raise PermanentUpstreamError(
                        f"{self.name} at {url}: the response is larger than {self.limits.size} bytes"
                    )
            where = f"{self.name} at {url}"
            text = read_text(where, response.status, response.headers, bytes(body), self.limits.size)
            return Response(response.status, response.headers, text)

    def _mask(self, text: str) -> str:
        return text.replace(self.token, "***") if self.token else text


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
