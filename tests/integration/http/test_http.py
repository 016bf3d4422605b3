"""Calls, redirects and name look-ups against real servers: nothing is sent to a forbidden address."""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from devstack.upstreams.client import Control
from include.core.errors import ForbiddenAddressError, PermanentUpstreamError, TransientUpstreamError
from include.core.http.client import HttpApi, Limits
from include.core.http.egress import Egress
from include.core.http.rate_limit import RateLimiter

DAY = {"date": "2010-12-22", "limit": "1"}
LIMITS = Limits(deadline=3, connect=1, silence=1, backoff=0.01, redirects=3)


def api(ledger: str, *urls: str, egress: Egress | None = None, **options: str) -> HttpApi:
    limiter = RateLimiter(ledger, secrets.token_hex(8), calls=1000)
    return HttpApi("Sample", egress or Egress.to(*urls), limiter, LIMITS, token=options.get("token", ""))


@contextmanager
def listener() -> Iterator[tuple[str, list[bytes]]]:
    """A server that records its requests, and returns an empty JSON object."""
    received: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def listen() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    received.append(connection.recv(65536))
                    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}", received
        server.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_a_redirect_within_the_origin_is_followed(upstreams: str, control: Control, ledger: str) -> None:
    with control.scenario("redirect", path="/sales", times=3):
        assert api(ledger, upstreams).get(f"{upstreams}/sales", DAY).text.startswith('{"source":"sales"')
    with control.scenario("redirect", path="/sales"), pytest.raises(PermanentUpstreamError, match="answered 302"):
        api(ledger, upstreams).get(f"{upstreams}/sales", DAY)


@pytest.mark.parametrize("to", ["http://169.254.169.254/latest/meta-data/", "http://[::1]:6379/", "file:///etc/passwd"])
def test_a_redirect_to_elsewhere_is_refused(upstreams: str, control: Control, ledger: str, to: str) -> None:
    with control.scenario("redirect", path="/sales", to=to), pytest.raises(ForbiddenAddressError):
        api(ledger, upstreams).get(f"{upstreams}/sales", DAY)


def test_a_forbidden_call_is_not_booked(upstreams: str, ledger: str) -> None:
    limiter = RateLimiter(ledger, secrets.token_hex(8), calls=1)
    for url in ("http://169.254.169.254/", f"{upstreams}/jobs/a\nb"):
        with pytest.raises(ForbiddenAddressError):
            HttpApi("Sample", Egress.to(upstreams), limiter, LIMITS).get(url)
    limiter.acquire(timeout=0)


def test_a_redirect_to_another_port_is_not_followed(upstreams: str, control: Control, ledger: str) -> None:
    with listener() as (url, received):
        with control.scenario("redirect", path="/sales", to=url), pytest.raises(ForbiddenAddressError):
            api(ledger, upstreams).get(f"{upstreams}/sales", DAY)
        assert received == []


def test_credentials_stay_with_the_first_host(upstreams: str, control: Control, ledger: str) -> None:
    token = secrets.token_hex(8)
    with listener() as (url, received), control.scenario("redirect", path="/sales", to=url):
        assert api(ledger, upstreams, url, token=token).get(f"{upstreams}/sales", DAY).text == "{}"
        assert b"authorization" not in received[0].lower()
        api(ledger, url, token=token).get(url, {})
        assert f"Bearer {token}".encode() in received[1]


def test_a_name_that_resolves_to_a_private_address_is_not_connected_to(
    ledger: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPELLBOOK_PRIVATE_NETWORKS", "10.0.0.0/8")
    with listener() as (url, received):
        named = url.replace("127.0.0.1", "localhost")
        with pytest.raises(ForbiddenAddressError, match=r"localhost resolves to .*not a public address"):
            api(ledger, named).get(named, {})
        assert received == []


def test_the_connection_goes_to_the_address_that_was_checked(ledger: str, monkeypatch: pytest.MonkeyPatch) -> None:
    addresses = iter(["127.0.0.1", "169.254.169.254"])  # the name changes its address after the first look-up
    lookups = []
    look_up = socket.getaddrinfo

    def rebound(host: str | bytes, *arguments: Any, **options: Any) -> object:
        if host == b"rebound.test":
            lookups.append(host)
            host = next(addresses)
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", rebound)
    with listener() as (url, received):
        named = url.replace("127.0.0.1", "rebound.test")
        assert api(ledger, named).get(named, {}).text == "{}"
        assert b"Host: rebound.test" in received[0]
    assert len(lookups) == 1


def test_an_unknown_host_is_a_transient_error(ledger: str) -> None:
    with pytest.raises(TransientUpstreamError, match="no-such-host"):
        api(ledger, "http://no-such-host.invalid").get("http://no-such-host.invalid/", {})


def test_a_sources_error_message_is_read(upstreams: str, ledger: str) -> None:
    with pytest.raises(PermanentUpstreamError, match=r"answered 400 .*: since=missing"):
        api(ledger, upstreams).get(f"{upstreams}/sales", {})
    assert json.loads(api(ledger, upstreams).get(f"{upstreams}/sales", {"date": "2010-12-22"}).text)["total"] == 291
