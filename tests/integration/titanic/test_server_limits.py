"""What no request can do to a model server: a real process, asked by sockets."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from upath import UPath

from devstack.state import free_port
from include.core.ml import card
from include.core.ml.artifact import MODEL_FILE, digest
from include.core.ml.registry import Registry
from include.core.ml.serving.app import MAX_ROWS
from include.core.ml.serving.limits import MAX_BYTES, MAX_CONNECTIONS
from include.core.settings import MODEL_SERVER_HOSTS
from include.domains.titanic.spec import TITANIC
from tests.integration.process import Process
from tests.integration.titanic.conftest import accept, deploy, evaluation_of
from tests.integration.titanic.test_titanic import KELLY, Serve, wait

MEGABYTE = 1024**2
MEMORY = 100 * MEGABYTE  # that the server may take more than before
NOWHERE = "http://127.0.0.1:1"
JSON = {"Content-Type": "application/json"}

Connect = Callable[[], socket.socket]
Send = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A model server process for all tests, without a registry and so without a model."""
    folder, port = tmp_path_factory.mktemp("server"), free_port()
    (folder / "warehouse.uri").write_text("postgresql://127.0.0.1:1/")
    command = ["include.core.ml.serving", "include.domains.titanic.spec:TITANIC", "--mlflow-uri", NOWHERE]
    command += ["--warehouse-file", str(folder / "warehouse.uri"), "--spool", str(folder / "spool.sqlite")]
    hosts = {MODEL_SERVER_HOSTS.name: "localhost, Model-Server"}
    process = Process([*command, "--port", str(port)], f"http://127.0.0.1:{port}", folder / "server.log", hosts)
    process.start()
    yield process
    process.kill()


@pytest.fixture
def connect(server: Process) -> Iterator[Connect]:
    """Open a connection to the server."""
    opened: list[socket.socket] = []

    def connection() -> socket.socket:
        opened.append(socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=60))
        return opened[-1]

    yield connection
    for item in opened:
        item.close()


@pytest.fixture
def send(connect: Connect) -> Send:
    """Send a request as it is; return the status and the body of the response."""

    def exchange(
        body: bytes | Iterator[bytes] = b"", path: str = "/predictions", method: str = "POST", **headers: str
    ) -> tuple[int, str]:
        fields = {"Host": "localhost", **JSON, "Connection": "close"}
        fields |= {"Content-Length": str(len(body))} if isinstance(body, bytes) else {"Transfer-Encoding": "chunked"}
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        connection = connect()
        connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode())
        for chunk in [body] if isinstance(body, bytes) else body:
            connection.sendall(chunk)
        return response(connection)

    return exchange


def response(connection: socket.socket) -> tuple[int, str]:
    received = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return int(head.split()[1]), body.decode()


def chunks(content: bytes, times: int) -> Iterator[bytes]:
    for _ in range(times):
        yield f"{len(content):x}\r\n".encode() + content + b"\r\n"
    yield b"0\r\n\r\n"


def memory(process: Process | None) -> int:
    """The largest memory that the process ever had."""
    assert process
    assert process.running
    status = Path(f"/proc/{process.running.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) * 1024


def passenger(**changes: Any) -> bytes:
    return json.dumps({"passengers": [KELLY | changes]}).encode()


GOOD = passenger()


def in_place_of_name(text: str) -> bytes:
    return GOOD.replace(b'"Kelly, Mr. James"', text.encode())


BODIES = {
    "NaN": (passenger(Age=float("nan")), "NaN isn't a JSON number; send null"),
    "infinity": (passenger(Fare=float("inf")), "Infinity isn't a JSON number"),
    "a number that becomes infinite": (
        passenger(Age=1).replace(b'"Age": 1', b'"Age": 1e999'),
        "a number of 5 characters is out",
    ),
    "an endless number": (passenger(Age=1).replace(b'"Age": 1', b'"Age": ' + b"9" * 100_000), "passengers.0.Age"),
    "half a surrogate pair": (in_place_of_name(r'"\ud800"'), "a text of 1 characters contains half a surrogate pair"),
    "half a surrogate pair as a name": (GOOD.replace(b'"Name"', rb'"\udfff"'), "contains half a surrogate pair"),
    "NUL": (in_place_of_name(r'"a\u0000b"'), "a text of 3 characters contains NUL"),
    "deep lists": (b"[" * 100_000 + b"]" * 100_000, "nested more than 100 levels"),
    "deep objects": (b'{"a":' * 500 + b"1" + b"}" * 500, "nested more than 100 levels"),
    "cut": (GOOD[:-3], "isn't valid JSON"),
    "not UTF-8": (GOOD.replace(b"James", b"Jos\xe9"), "isn't UTF-8: byte "),
    "UTF-16": (GOOD.decode().encode("utf-16"), "isn't UTF-8: byte 0"),
    "a list": (b"[1]", "the body: Input should be a valid dictionary"),
    "a value that isn't allowed": (passenger(Sex="x" * 10_000), "passengers.0.Sex: Input should be 'male' or 'female'"),
    "too many rows": (json.dumps({"passengers": [KELLY] * (MAX_ROWS + 1)}).encode(), f"at most {MAX_ROWS} items"),
    "many errors": (json.dumps({"passengers": [{}] * 1000}).encode(), "and 5995 more"),
    "many unknown fields": (passenger(**{f"field {number}": 1 for number in range(50_000)}), "and 49995 more"),
}


def still_answers(send: Send) -> bool:
    """Whether a good request gets as far as the model, of which there is none."""
    status, text = send(GOOD)
    return status == 503 and "no model" in text


def test_a_bad_body_is_refused_by_field_and_rule(server: Process, send: Send) -> None:
    for name, (body, message) in BODIES.items():
        status, text = send(body)
        assert (status, message in json.loads(text)["detail"]) == (422, True), (name, status, text)
        assert len(text) < 2000, name
    assert send(GOOD, X_Purpose="x")[0] == 422
    assert still_answers(send)
    assert "Traceback" not in server.log.read_text()


def test_a_large_body_takes_little_memory(server: Process, send: Send) -> None:
    assert still_answers(send)
    before = memory(server)
    announced = send(b'{"passengers": [' + b"1," * (100 * MEGABYTE))
    assert announced == (413, announced[1])
    assert f"at most {MAX_BYTES} are allowed" in announced[1]
    assert send(chunks(b"[" * MEGABYTE, 200))[0] == 413  # its size isn't announced
    worst = b"1," * (MAX_BYTES // 2 - 20)
    assert send(b'{"passengers": [' + worst + b"1]}")[0] == 422
    assert send(b'{"passengers": [' + worst.replace(b"1,", b"[]")[:-1] + b"]}")[0] == 422
    assert memory(server) - before < MEMORY
    assert still_answers(send)


def test_only_its_own_names_and_addresses_are_served(send: Send) -> None:
    for host in ("localhost", "LOCALHOST:80", "model-server", "127.0.0.1:1", "[::1]:80", "10.1.2.3"):
        assert send(path="/health", method="GET", Host=host)[0] == 200, host
    for host in ("evil.example", "localhost.evil.example", "", "[::1", "a" * 5000):
        status, text = send(path="/health", method="GET", Host=host)
        assert status == 421, host
        assert "allowed: addresses, localhost, model-server" in text
        assert len(text) < 500


def test_a_half_sent_request_ends(connect: Connect, send: Send) -> None:
    """All at once, so that their time-outs pass together."""
    silent, head, body, slow, again = (connect() for _ in range(5))
    head.sendall(b"POST /predictions HTTP/1.1\r\nHost: loc")
    body.sendall(b"POST /predictions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{")
    again.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HT")
    ended = threading.Event()

    def trickle() -> None:
        slow.sendall(b"POST /predictions HTTP/1.1\r\nHost: localhost\r\n")
        with contextlib.suppress(OSError):
            while not ended.wait(0.5):
                slow.sendall(b"X: y\r\n")

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        assert head.recv(1000) == b""
        assert silent.recv(1000) == b""
        status, text = response(body)
        assert status == 408
        assert "1 bytes received" in text
        assert response(again)[0] == 200  # and closed
        with contextlib.suppress(ConnectionResetError):
            assert slow.recv(1000) == b""
    finally:
        ended.set()
        thread.join()
    assert still_answers(send)


def test_further_connections_are_refused_and_those_open_end(connect: Connect, send: Send) -> None:
    opened = [connect() for _ in range(MAX_CONNECTIONS)]
    assert send(GOOD) == (503, "Service Unavailable")
    assert [connection.recv(1) for connection in opened] == [b""] * len(opened)
    wait(lambda: still_answers(send))


def test_a_zip_bomb_is_not_unpacked(candidate: UPath, registry: Registry, serve_process: Serve) -> None:
    serving = serve_process(registry.name)
    accept(candidate, registry)
    deploy(candidate, registry, serving)
    before = memory(serving.process)
    file = Path(str(candidate.parent / "model" / MODEL_FILE))
    file.write_bytes(bomb(300 * MEGABYTE))
    record = card.record(TITANIC, evaluation_of(candidate))
    registry.promote(
        registry.publish(
            "bomb", {f"model/{MODEL_FILE}": digest(file.read_bytes())}, Path(str(candidate.parent)), record
        )
    )
    wait(lambda: serving.server.health()["model_error"] is not None)
    health = serving.server.health()
    assert "bytes and unpacks to at least" in health["model_error"]
    assert memory(serving.process) - before < MEMORY
    assert serving.server.predict([KELLY])["version"] == health["version"] == 1


def bomb(size: int) -> bytes:
    """A small ZIP file of zeros that unpack to ``size`` bytes of schema."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("schema.json", "w") as member:
        for _ in range(size // MEGABYTE):
            member.write(b" " * MEGABYTE)
    return buffer.getvalue()
