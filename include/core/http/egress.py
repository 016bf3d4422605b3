"""Egress rules: HTTP calls go to declared hosts only, and there to public addresses only.

This prevents server-side request forgery by an upstream or a configuration: links and redirects to other hosts, and
names that resolve to private addresses. The address is checked when the connection is made, and that same address is
connected to, which also prevents DNS rebinding.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from requests.adapters import HTTPAdapter
from typing_extensions import override
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.poolmanager import PoolManager
from urllib3.util.connection import create_connection

from include.core.errors import ConfigurationError, ForbiddenAddressError
from include.core.settings import PRIVATE_NETWORKS

if TYPE_CHECKING:
    from collections.abc import Iterable

PORTS = {"http": 80, "https": 443}

NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
TUNNELS = (
    IPv6Network("2002::/16"),
    IPv6Network("2001::/32"),
)  # 6to4 and Teredo: no API uses them

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Egress:
    """The calls that may be made.

    Attributes:
        origins: ``scheme://host:port`` that may be called.
        private: networks that may be called although they aren't public.
    """

    origins: frozenset[str]
    private: tuple[Network, ...] = ()

    @classmethod
    def to(cls, *urls: str) -> Egress:
        """Allow the origins of ``urls``, and the private networks that the environment allows.

        Raises:
            ConfigurationError: if a URL or the environment's list can't be read.
        """
        return cls(frozenset(map(origin, urls)), networks(PRIVATE_NETWORKS.read()))

    def check(self, url: str) -> None:
        """Check scheme, host and port of ``url``, before its name is resolved.

        Raises:
            ForbiddenAddressError: if they aren't allowed.
        """
        try:
            requested = origin(url)
        except ConfigurationError as error:
            raise ForbiddenAddressError(str(error)) from error
        if requested not in self.origins:
            raise ForbiddenAddressError(
                f"{requested} may not be called; allowed: {', '.join(sorted(self.origins))}. To allow it, add it to the"
                " connection's extra allowed_hosts"
            )

    def check_address(self, host: str, address: str) -> None:
        """Check the address that ``host`` resolved to.

        Raises:
            ForbiddenAddressError: if it is private, link-local (such as a cloud's metadata service), loopback,
                multicast, reserved or a tunnel's, and not in an allowed network.
        """
        resolved = ip_address(address.partition("%")[0])
        target = _target(resolved)
        tunnelled = any(resolved in network for network in TUNNELS)
        if target.is_global and not target.is_multicast and not tunnelled:
            return
        if any(target in network for network in self.private):
            return
        raise ForbiddenAddressError(
            f"{host} resolves to {address}, which is not a public address. To allow it, add its network to"
            f" {PRIVATE_NETWORKS.name}"
        )


def origin(url: str) -> str:
    """Return ``scheme://host:port`` of an http(s) URL, normalized.

    Raises:
        ConfigurationError: if it isn't such a URL, or contains a user name.
    """
    problem = f"{url!r} isn't a URL like https://api.example.com"
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigurationError(f"{problem}: {error}") from error
    host = (parts.hostname or "").rstrip(".")
    has_invalid_characters = any(character.isspace() or character == "\\" or ord(character) < 32 for character in url)
    if parts.scheme not in PORTS or not host or "@" in parts.netloc or has_invalid_characters:
        raise ConfigurationError(problem)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port or PORTS[parts.scheme]}"


def _target(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address embedded in an IPv6 address (mapped, 6to4, Teredo, NAT64), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo[1] if address.teredo else None
    return address.ipv4_mapped or address.sixtofour or teredo or address


def networks(text: str) -> tuple[Network, ...]:
    """Read a comma-separated list of networks, such as ``10.0.0.0/8, ::1``.

    Raises:
        ConfigurationError: naming the invalid entry.
    """
    result: list[Network] = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        try:
            result.append(ip_network(entry))
        except ValueError as error:
            raise ConfigurationError(
                f"{PRIVATE_NETWORKS.name}: {entry!r} isn't a network like 10.0.0.0/8 ({error})"
            ) from error
    return tuple(result)


class GuardedAdapter(HTTPAdapter):
    """Transport of a :class:`requests.Session` that connects to allowed addresses only.

    A proxy resolves names and connects itself; then only :meth:`Egress.check` applies.
    """

    def __init__(self, egress: Egress) -> None:
        self.egress = egress
        super().__init__()

    @override
    def init_poolmanager(self, *arguments: Any, **options: Any) -> None:
        """Create pools whose connections are guarded."""
        super().init_poolmanager(*arguments, **options)
        self.poolmanager = _pools(self.egress, self.poolmanager)


def _pools(egress: Egress, manager: PoolManager) -> PoolManager:
    class Plain(HTTPConnection):
        @override
        def _new_conn(self) -> socket.socket:
            return _connect(egress, self)

    class Encrypted(HTTPSConnection):
        @override
        def _new_conn(self) -> socket.socket:
            return _connect(egress, self)

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class EncryptedPool(HTTPSConnectionPool):
        ConnectionCls = Encrypted

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": EncryptedPool}
    return manager


def _connect(egress: Egress, connection: HTTPConnection) -> socket.socket:
    """Resolve the host once, check every address, and connect to the first reachable one."""
    entries = socket.getaddrinfo(connection.host, connection.port, type=socket.SOCK_STREAM)
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in entries))
    for address in addresses:
        egress.check_address(connection.host, address)
    return _connect_to_first(addresses, connection)


def _connect_to_first(addresses: Iterable[str], connection: HTTPConnection) -> socket.socket:
    problem: OSError = OSError(f"{connection.host} has no address")
    for address in addresses:
        try:
            return create_connection(
                (address, connection.port), connection.timeout, socket_options=connection.socket_options
            )
        except OSError as error:
            problem = error
    raise problem
