"""Egress rules: HTTP calls go to declared hosts only, and there to public addresses only.

This prevents server-side request forgery by an upstream or a configuration: links and redirects to other hosts, and
names that resolve to private addresses. The address is checked when the connection is made, and that same address is
connected to, which also prevents DNS rebinding.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import httpx

from include.core.errors import ConfigurationError, ForbiddenAddressError
from include.core.settings import PRIVATE_NETWORKS

PORTS = {"http": 80, "https": 443}
HOST = re.compile(r"[a-z0-9_.-]+|[0-9a-f]*:[0-9a-f:.]*")  # a name, an IPv4 or an IPv6 address
NOT_IN_URLS = re.compile(r"[\s\\\x00-\x1f]")

NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
UNICAST = IPv6Network("2000::/3")  # all public IPv6 addresses; outside are those that translate or embed IPv4 ones
TUNNELS = (IPv6Network("2002::/16"), IPv6Network("2001::/32"))  # 6to4 and Teredo: no API uses them

Network = IPv4Network | IPv6Network


@dataclass(frozen=True)
class Egress:
    """The calls that may be made.

    Attributes:
        origins: ``scheme://host:port`` that may be called.
        private: networks that may be called although they aren't public.
        setting: where more origins can be allowed, for messages; empty if they can't.
    """

    origins: frozenset[str]
    private: tuple[Network, ...] = ()
    setting: str = ""

    @classmethod
    def to(cls, *urls: str, setting: str = "") -> Egress:
        """Allow the origins of ``urls``, and the private networks that the environment allows.

        Raises:
            ConfigurationError: if a URL or the environment's list can't be read.
        """
        return cls(frozenset(map(origin, urls)), networks(PRIVATE_NETWORKS.read()), setting)

    @classmethod
    def internal(cls, url: str) -> Egress:
        """Allow the origin of a server of this platform, at any address.

        Raises:
            ConfigurationError: if it isn't an http(s) URL.
        """
        return cls(frozenset({origin(url)}), networks("0.0.0.0/0, ::/0"))

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
            hint = f". To allow it, add it to {self.setting}" if self.setting else ""
            raise ForbiddenAddressError(
                f"{requested} may not be called; allowed: {', '.join(sorted(self.origins))}{hint}"
            )

    def check_address(self, host: str, address: str) -> None:
        """Check the address that ``host`` resolved to.

        Raises:
            ForbiddenAddressError: if it is private, link-local (such as a cloud's metadata service), loopback,
                multicast, reserved, a translation or a tunnel's, and not in an allowed network.
        """
        target = _target(ip_address(address.partition("%")[0]))
        if _is_public(target) or any(target in network for network in self.private):
            return
        raise ForbiddenAddressError(
            f"{host} resolves to {address}, which is not a public address. To allow it, add its network to"
            f" {PRIVATE_NETWORKS.name}"
        )


def origin(url: str) -> str:
    """Return ``scheme://host:port`` of an http(s) URL, normalized; read by the parser of the client that connects.

    Raises:
        ConfigurationError: if it isn't such a URL, or contains a user name.
    """
    problem = f"{url[:200]!r} isn't a URL like https://api.example.com"
    try:
        parts = httpx.URL(url)
    except httpx.InvalidURL as error:
        raise ConfigurationError(f"{problem}: {error}") from error
    host = parts.raw_host.decode().rstrip(".")
    port = PORTS.get(parts.scheme) if parts.port is None else parts.port
    is_plain = HOST.fullmatch(host) and not parts.userinfo and not NOT_IN_URLS.search(url)
    if parts.scheme not in PORTS or not is_plain or not port or port > 65535:
        raise ConfigurationError(problem)
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def joined(url: str, link: str) -> str:
    """Return the URL that a response from ``url`` links or redirects to.

    Raises:
        ForbiddenAddressError: if it isn't one.
    """
    try:
        return str(httpx.URL(url).join(link))
    except (httpx.InvalidURL, ValueError) as error:
        raise ForbiddenAddressError(f"the response leads to {link[:200]!r}, which isn't a URL: {error}") from error


def _target(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address that an IPv6 address stands for (mapped, NAT64), else the address itself."""
    if isinstance(address, IPv4Address):
        return address
    return IPv4Address(int(address) & 0xFFFFFFFF) if address in NAT64 else address.ipv4_mapped or address


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if isinstance(address, IPv6Address) and (address not in UNICAST or any(address in each for each in TUNNELS)):
        return False
    return address.is_global and not address.is_multicast


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
