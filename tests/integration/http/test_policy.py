"""The client's policy, for synchronous and async calls alike."""

from __future__ import annotations

import asyncio
import datetime as dt
import signal
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from devstack.upstreams.client import Control
from include.core.errors import (
    ConfigurationError,
    ForbiddenAddressError,
    PermanentUpstreamError,
    TransientUpstreamError,
    UpstreamError,
)
from include.core.http.client import HttpApi, Limits
from include.core.http.egress import Egress
from include.core.http.transport import ssl_context
from tests.integration.http.answers import answering

LIMITS = Limits(deadline=30, connect=20, silence=20, backoff=60, redirects=3)  # a single try
RESPONSE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"

Call = Callable[[HttpApi, str], str]


def sync_call(api: HttpApi, url: str) -> str:
    return api.get(url).text


def async_call(api: HttpApi, url: str) -> str:
    return asyncio.run(api.once("GET", url)).text


def call_in_a_loop(api: HttpApi, url: str) -> str:
    """As code in an async task may do."""

    async def task() -> str:
        return api.get(url).text

    return asyncio.run(task())


each_way = pytest.mark.parametrize("call", [sync_call, async_call, call_in_a_loop])


@contextmanager
def serving(
    respond: Callable[[socket.socket], None] = lambda connection: connection.sendall(RESPONSE),
    certificate: Path | None = None,
) -> Iterator[tuple[int, list[bytes]]]:
    """Serve each connection with ``respond``; yield the port and the requests."""
    requests: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        context.load_cert_chain(certificate)
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                try:
                    with context.wrap_socket(connection, server_side=True) if certificate else connection as channel:
                        requests.append(channel.recv(65536))
                        respond(channel)
                except OSError:
                    continue  # the client has gone

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], requests
        server.shutdown(socket.SHUT_RDWR)
        thread.join(20)


@each_way
def test_nothing_of_the_environment_changes_a_call(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login mallory password other\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    with serving() as (proxy, proxied), serving() as (port, received):
        for name in ("http_proxy", "HTTP_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy}")
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        url = f"http://127.0.0.1:{port}/"
        assert call(HttpApi("Sample", Egress.to(url), limits=LIMITS, token="own-token"), url) == "{}"
    assert b"authorization: bearer own-token\r\n" in received[0].lower()
    assert b"mallory" not in received[0]
    assert proxied == []


@each_way
def test_the_deadline_ends_a_response_of_single_bytes(call: Call) -> None:
    gone = threading.Event()

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nx-endless: ")
        for _ in range(400):
            if gone.wait(0.05):
                return
            connection.sendall(b"x")  # in time

    with serving(drip) as (port, _):
        url = f"http://127.0.0.1:{port}/"
        api = HttpApi("Sample", Egress.to(url), limits=Limits(deadline=1.5, silence=1, backoff=60))
        try:
            with pytest.raises(TransientUpstreamError, match=r"no complete response within 1\.5 s"):
                call(api, url)
        finally:
            gone.set()


class AlarmError(BaseException):
    """As the timeout of an Airflow task, no Exception."""


def test_a_signal_ends_a_call(upstreams: str, control: Control) -> None:
    def ring(*_: object) -> NoReturn:
        raise AlarmError

    former = signal.signal(signal.SIGALRM, ring)
    api = HttpApi("Sample", Egress.to(upstreams), limits=LIMITS)
    try:
        with control.scenario("hang", path="/sales"):
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            with pytest.raises(AlarmError):
                api.get(f"{upstreams}/sales")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, former)


@each_way
@pytest.mark.parametrize("depth", [101, 1_000, 100_000])
@pytest.mark.parametrize(("start", "end"), [("[", "]"), ('{"a":', "}")])
def test_deep_json_is_refused(call: Call, depth: int, start: str, end: str) -> None:
    with (
        answering(f"{start * depth}1{end * depth}".encode()) as url,
        pytest.raises(PermanentUpstreamError, match="can't be read: it is nested"),
    ):
        call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url)


@each_way
def test_nested_json_is_read(call: Call) -> None:
    body = "[" * 100 + "1" + "]" * 100
    with answering(body.encode()) as url:
        assert call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url) == body


@pytest.mark.parametrize("depth", [500, 100_000])
def test_the_reason_of_an_error_may_be_deep_json(depth: int) -> None:
    body = f'{{"message": {"[" * depth}{"]" * depth}}}'.encode()
    with answering(body, 400) as url, pytest.raises(PermanentUpstreamError, match="answered 400"):
        HttpApi("Sample", Egress.to(url), limits=LIMITS).get(url)


@each_way
@pytest.mark.parametrize("status", [408, 425, 429, 500, 503, 599])
def test_what_may_pass_is_transient(call: Call, status: int) -> None:
    with answering(b"{}", status) as url, pytest.raises(TransientUpstreamError, match=f"answered {status}"):
        call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url)


@each_way
@pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 409, 410, 422])
def test_what_stays_is_permanent(call: Call, status: int) -> None:
    with answering(b"{}", status) as url, pytest.raises(PermanentUpstreamError, match=f"answered {status}"):
        call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url)


@each_way
def test_an_endless_error_is_read_in_part(call: Call) -> None:
    def endless(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n")
        while True:
            connection.sendall(b"out of order " * 1000)

    with serving(endless) as (port, _):
        url = f"http://127.0.0.1:{port}/"
        with pytest.raises(PermanentUpstreamError, match=r"answered 400 .*: out of order"):
            call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url)


@pytest.mark.parametrize(("status", "text"), [(400, '{"message": "%s"}'), (200, "%s")])
def test_a_secret_that_a_message_cuts_is_masked(status: int, text: str) -> None:
    for padding in range(40, 320, 7):
        with answering((text % ("x" * padding + "own-secret-token")).encode(), status) as url:
            api = HttpApi("Sample", Egress.to(url), limits=LIMITS, token="own-secret-token")
            with pytest.raises(UpstreamError) as caught:
                api.get(url)
        assert "own" not in str(caught.value)


@each_way
@pytest.mark.parametrize("token", ["secret\n", "secret\r\nx-injected: 1", "sécret"])
def test_a_token_that_no_header_can_hold_is_not_shown(call: Call, token: str) -> None:
    with answering(b"{}") as url, pytest.raises(ConfigurationError, match="Sample: header Authorization: ") as caught:
        call(HttpApi("Sample", Egress.to(url), limits=LIMITS, token=token), url)
    assert "cret" not in str(caught.value)


@each_way
@pytest.mark.parametrize("link", ["http://[::1", "http://a:b", "HTTP://169.254.169.254/", "gopher://127.0.0.1/"])
def test_a_redirect_to_no_allowed_url_is_refused(call: Call, link: str) -> None:
    with answering(b"{}", 302, location=link) as url, pytest.raises(ForbiddenAddressError):
        call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url)


@each_way
def test_redirects_end(call: Call) -> None:
    with answering(b"{}", 302, location="/") as url, pytest.raises(PermanentUpstreamError, match="answered 302"):
        call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url)


def test_headers_stay_with_the_first_host() -> None:
    with serving() as (port, received):
        other = f"http://127.0.0.1:{port}"
        with answering(b"", 307, location=f"{other}/moved") as url:
            api = HttpApi("Sample", Egress.to(url, other), limits=LIMITS, secrets={"key": "own-key"})
            assert api.call("GET", url, headers={"X-Api-Key": "own-key"}).text == "{}"
    assert b"GET /moved HTTP/1.1" in received[0]
    assert b"own-key" not in received[0]


@each_way
def test_a_query_in_the_url_is_kept(call: Call) -> None:
    with serving() as (port, received):
        url = f"http://127.0.0.1:{port}/pages?cursor=a%2Fb+c%20d&n=1"
        call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url)
        call(HttpApi("Sample", Egress.to(url), limits=LIMITS, secrets={"key": "k"}), url)
    assert received[0].startswith(b"GET /pages?cursor=a%2Fb+c%20d&n=1 HTTP/1.1")
    assert received[1].startswith(b"GET /pages?cursor=a%2Fb+c+d&n=1&key=k HTTP/1.1")


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Key and certificate of ``localhost``, which the client trusts."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = dt.datetime.now(dt.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path / "certificate.pem"
    path.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(path))
    ssl_context.cache_clear()
    yield path
    ssl_context.cache_clear()


@each_way
def test_a_certificate_is_checked_against_the_name_not_the_address(call: Call, certificate: Path) -> None:
    with serving(certificate=certificate) as (port, received):
        url = f"https://localhost:{port}/"
        assert call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url) == "{}"
        assert f"host: localhost:{port}\r\n".encode() in received[0].lower()
        url = f"https://127.0.0.1:{port}/"
        with pytest.raises(TransientUpstreamError, match="IP address mismatch"):
            call(HttpApi("Sample", Egress.to(url), limits=LIMITS), url)
        assert len(received) == 1
