"""The connections of the HTTP client, and how synchronous code uses them."""

from __future__ import annotations

import socket
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import anyio
import httpx
from anyio.from_thread import start_blocking_portal
from typing_extensions import TypeVarTuple, Unpack, override

from include.core.errors import ForbiddenAddressError
from include.core.http.egress import PORTS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from include.core.http.egress import Egress

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")

# Reads SSL_CERT_FILE and SSL_CERT_DIR; nothing else of the environment (proxies, .netrc) is used.
ssl_context = cache(httpx.create_ssl_context)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """Connects to allowed addresses only; it is used without a :class:`httpx.AsyncClient`, which logs URLs with keys.

    A name is resolved once, all its addresses are checked, and the first reachable one is connected to.
    """

    def __init__(self, egress: Egress) -> None:
        super().__init__(verify=ssl_context())
        self.egress = egress

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request.

        Raises:
            ForbiddenAddressError: its URL, or an address of its host, may not be called.
            httpx.HTTPError: no response.
            OSError: the name can't be resolved.
        """
        self.egress.check(str(request.url))
        host = request.url.raw_host.decode()
        try:
            entries = await anyio.getaddrinfo(
                host, request.url.port or PORTS[request.url.scheme], type=socket.SOCK_STREAM
            )
        except UnicodeError as error:  # a label of more than 63 characters
            raise ForbiddenAddressError(f"{host!r} isn't a host name: {error}") from error
        addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
        for address in addresses:
            self.egress.check_address(host, address)
        problem: httpx.HTTPError = httpx.ConnectError(f"{host} has no address")
        for address in addresses:
            pinned = httpx.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # with the host's name
                stream=request.stream,
                extensions={**request.extensions, "sni_hostname": host.rstrip(".")},
            )
            try:
                return await super().handle_async_request(pinned)
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                problem = error
        raise problem


def run(function: Callable[[Unpack[Arguments]], Awaitable[Result]], *arguments: *Arguments) -> Result:
    """Return the result of an async function, which runs in a thread of its own.

    A signal, such as that of a task's timeout, thus ends the wait at once and cancels the function.
    """
    with start_blocking_portal() as portal:
        return portal.call(function, *arguments)
