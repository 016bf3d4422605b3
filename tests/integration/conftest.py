"""Real servers for the integration tests; each test gets a database of its own."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterator

import pytest

from devstack.postgres import Postgres


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server for this test session, without durability."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    directory = tmp_path_factory.mktemp("postgres")
    for folder in (directory, *directory.parents[:2]):
        folder.chmod(0o755)
    server = Postgres(directory / "cluster", port, secrets.token_urlsafe(16), durable=False)
    server.start()
    yield server
    server.remove()


@pytest.fixture
def warehouse(postgres: Postgres) -> str:
    """URI of an empty database."""
    name = f"warehouse_{secrets.token_hex(6)}"
    postgres.create_database(name)
    return postgres.uri(name)
