"""The StatsD client on real sockets: it never raises, never blocks for long, and resolves its host again."""

from __future__ import annotations

import logging
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from statsd import StatsClient

from spellbook import metrics
from spellbook.metrics import ReResolvingStatsClient

NAME = "statsd.example"
Resolver = Callable[..., list[tuple[Any, ...]]]


class Server:
    """A UDP socket that returns what it receives."""

    def __init__(self, address: str = "127.0.0.1", port: int = 0) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, port))
        self.socket.settimeout(5)
        self.port = int(self.socket.getsockname()[1])

    def next(self) -> str:
        return self.socket.recv(65535).decode()


Connect = Callable[..., ReResolvingStatsClient]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Create clients, which are closed after the test."""
    clients: list[ReResolvingStatsClient] = []

    def connect(host: str, port: int, prefix: str | None = None) -> ReResolvingStatsClient:
        clients.append(ReResolvingStatsClient(host, port, prefix))
        return clients[-1]

    yield connect
    for client in clients:
        if client._lookup.is_alive():
            client._lookup.join()
        if client._sock is not None:
            client.close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.socket.close()


class Names:
    """Replaces name resolution: real sockets, but a host name whose address the test changes."""

    def __init__(self, resolver: Resolver) -> None:
        self.resolver, self.address, self.delay = resolver, "", 0.0

    def __call__(self, host: str, *arguments: Any, **options: Any) -> list[tuple[Any, ...]]:
        if host != NAME:
            return self.resolver(host, *arguments, **options)
        time.sleep(self.delay)
        if not self.address:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self.resolver(self.address, *arguments, **options)


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    names = Names(socket.getaddrinfo)
    monkeypatch.setattr(socket, "getaddrinfo", names)
    monkeypatch.setattr(metrics, "REFRESH", 0.05)
    return names


def eventually(send: Callable[[], None], server: Server) -> str:
    """Send until something is received."""
    server.socket.settimeout(0.1)
    for _ in range(100):
        send()
        try:
            return server.next()
        except TimeoutError:
            continue
    pytest.fail("nothing was received within 10 s")


def test_it_is_a_statsd_client_as_airflow_requires() -> None:
    assert issubclass(ReResolvingStatsClient, StatsClient)


def test_tags_are_sent_in_dogstatsd_format(connect: Connect, server: Server) -> None:
    client = connect("127.0.0.1", server.port, "airflow")
    client.incr("ti.finish,dag_id=weather,state=failed")
    assert server.next() == "airflow.ti.finish:1|c|#dag_id:weather,state:failed"
    client.timing("task.duration,task_id=group.load", 1500)
    assert server.next() == "airflow.task.duration:1500.000000|ms|#task_id:group.load"
    client.gauge("dagbag_size", 7)
    assert server.next() == "airflow.dagbag_size:7|g"
    with client.timer("loop,executor=Local"):
        pass
    assert server.next().endswith("|ms|#executor:Local")
    client.incr("ti.start,task_id=prévision")
    assert server.next() == "airflow.ti.start:1|c|#task_id:prévision"


def test_a_negative_gauge_is_set_not_lowered(connect: Connect, server: Server) -> None:
    client = connect("127.0.0.1", server.port)
    client.gauge("pool.open_slots,pool_name=a", -2)
    assert server.next().splitlines() == ["pool.open_slots:0|g|#pool_name:a", "pool.open_slots:-2|g|#pool_name:a"]


def test_a_host_that_is_unknown_at_the_start_is_found_later(
    connect: Connect, server: Server, names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, metrics.__name__):
        client = connect(NAME, server.port)
        for _ in range(20):
            client.incr("early")
            time.sleep(0.01)
    assert len([record for record in caplog.records if NAME in record.message]) == 1
    names.address = "127.0.0.1"
    assert eventually(lambda: client.incr("late"), server) == "early:1|c", "what was sent early is buffered"


def test_a_host_that_changes_its_address_is_followed(connect: Connect, server: Server, names: Names) -> None:
    new_server = Server("127.0.0.2", server.port)
    names.address = "127.0.0.1"
    client = connect(NAME, server.port)
    client.incr("here")
    assert server.next() == "here:1|c"
    names.address = "127.0.0.2"
    assert eventually(lambda: client.incr("there"), new_server) == "there:1|c"
    names.address = ""
    for _ in range(20):
        client.incr("still there")
        time.sleep(0.01)
    assert new_server.next().endswith("there:1|c"), "a name that is lost for a while keeps its last address"
    new_server.socket.close()


def test_a_name_server_that_hangs_does_not_block(connect: Connect, server: Server, names: Names) -> None:
    names.delay = 3
    began = time.monotonic()
    client = connect(NAME, server.port)
    assert time.monotonic() - began < 1
    for number in range(5000):
        client.incr(f"metric_{number}")
    assert time.monotonic() - began < 2
    assert len(client._buffer) == metrics.MAX_BUFFERED


def test_a_missing_listener_a_closed_client_and_a_bad_name_raise_nothing(connect: Connect, server: Server) -> None:
    server.socket.close()
    client = connect("127.0.0.1", server.port)
    for _ in range(10):
        client.incr("x")
    client.close()
    client.incr("x")
    connect("a" * 80 + ".example", server.port).incr("x")
