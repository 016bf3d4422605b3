"""Which addresses HTTP calls may reach."""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.core.errors import ConfigurationError, ForbiddenAddressError
from include.core.http.egress import Egress, joined, networks, origin

EGRESS = Egress(frozenset({"https://api.example.com:443"}))


@pytest.mark.parametrize(
    "url",
    [
        "https://api.example.com/sales?page=2",
        "https://API.example.com:443/",
        "https://api.example.com./x",
        "HTTPS://api.example.com/",
    ],
)
def test_the_declared_origin_may_be_called(url: str) -> None:
    EGRESS.check(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://api.example.com/",
        "https://api.example.com:8443/",
        "https://api.example.com.evil.net/",
        "https://evil.net/api.example.com",
        "https://api.example.com@evil.net/",
        "https://evil.net\\@api.example.com/",
        "https://evil.net#@api.example.com/",
        "//evil.net/",
        "file:///etc/passwd",
        "gopher://api.example.com/",
        "https://169.254.169.254/latest/meta-data/",
        "https://[::1]/",
        "https://api.example.com\n.evil.net/",
        "https://api.example.com:99999/",
        "https://api.example.com:0/",
        "https://[/",
        "HTTP://api.example.com/",
        "File:///etc/passwd",
        "",
    ],
)
def test_any_other_origin_may_not_be_called(url: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        EGRESS.check(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "0.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "224.0.0.1",
        "255.255.255.255", "::1", "::", "fe80::1%eth0", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1",
        "::ffff:169.254.169.254", "2002:7f00:1::", "2002:808:808::", "2001::f7f7:f7f7", "64:ff9b::a9fe:a9fe",
        "2001:db8::1", "64:ff9b:1::a9fe:a9fe", "64:ff9b:1::808:808", "::ffff:0:10.0.0.1", "::ffff:0:8.8.8.8",
        "::127.0.0.1", "::8.8.8.8", "fec0::1", "5f00::1",
    ],
)  # fmt: skip
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(ForbiddenAddressError, match=r"api resolves to .*add its network to SPELLBOOK_PRIVATE_NETWORKS"):
        EGRESS.check_address("api", address)


@pytest.mark.parametrize("address", ["8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_a_public_address_is_accepted(address: str) -> None:
    EGRESS.check_address("api", address)


def test_a_private_network_may_be_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPELLBOOK_PRIVATE_NETWORKS", "10.0.0.0/8, ::1")
    egress = Egress.to("http://upstreams:8123/v1")
    assert egress.origins == {"http://upstreams:8123"}
    egress.check_address("upstreams", "10.9.8.7")
    egress.check_address("upstreams", "::ffff:10.9.8.7")
    egress.check_address("upstreams", "::1")
    with pytest.raises(ForbiddenAddressError):
        egress.check_address("upstreams", "192.168.0.1")


def test_a_tunnel_to_an_allowed_network_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPELLBOOK_PRIVATE_NETWORKS", "127.0.0.0/8, 10.0.0.0/8, ::1")
    egress = Egress.to("http://upstreams")
    for address in ("2002:a00:1::", "::ffff:0:10.0.0.1", "64:ff9b:1::a00:1", "::127.0.0.1"):
        with pytest.raises(ForbiddenAddressError):
            egress.check_address("upstreams", address)


def test_an_internal_server_may_have_any_address_but_no_other_origin() -> None:
    egress = Egress.internal("http://model-server:8000")
    egress.check_address("model-server", "172.18.0.5")
    egress.check_address("model-server", "fd00::5")
    with pytest.raises(ForbiddenAddressError, match="may not be called"):
        egress.check("http://metadata:8000/")


@pytest.mark.parametrize(
    ("link", "url"),
    [
        ("/b?page=2", "https://api.example.com/b?page=2"),
        ("b", "https://api.example.com/v1/b"),
        ("//evil.net/", "https://evil.net/"),
    ],
)
def test_a_link_is_read_as_the_client_reads_it(link: str, url: str) -> None:
    assert joined("https://api.example.com/v1/a", link) == url


@pytest.mark.parametrize("link", ["http://[::1", "http://a:b", "http://\0"])
def test_a_link_that_is_not_a_url_leads_nowhere(link: str) -> None:
    with pytest.raises(ForbiddenAddressError):
        EGRESS.check(joined("https://api.example.com/v1/a", link))


def test_a_wrong_network_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"SPELLBOOK_PRIVATE_NETWORKS: '10.0.0.1/8' isn't a network"):
        networks("127.0.0.0/8,10.0.0.1/8")


@given(st.ip_addresses())
def test_no_private_address_passes(address: object) -> None:
    parsed = ip_address(str(address))
    ip = getattr(parsed, "ipv4_mapped", None) or parsed  # older Pythons call all mapped addresses private
    if ip.is_private or ip.is_loopback or ip.is_link_local:
        with pytest.raises(ForbiddenAddressError):
            EGRESS.check_address("api", str(parsed))


@given(st.text(max_size=60))
def test_no_url_of_another_origin_passes(text: str) -> None:
    for url in (text, f"https://{text}", f"https://api.example.com{text}"):
        try:
            EGRESS.check(url)
        except ForbiddenAddressError:
            continue
        assert origin(url) == "https://api.example.com:443"
