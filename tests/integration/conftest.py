"""Real servers for the integration tests; each test gets its own database, each file its own upstreams."""

from __future__ import annotations

import json
import os
import secrets
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
import psycopg
import pytest
from moto.server import ThreadedMotoServer

from devstack.postgres import WAREHOUSE, Postgres
from devstack.state import free_port
from devstack.upstreams.client import Control
from devstack.upstreams.server import serve
from include.core.ml import tracking_server
from include.core.ml.tracking import Server
from tests.integration.process import Process

MEMORY, MEMORY_NEEDED = "/dev/shm", 4 * 1024**3  # noqa: S108  # a folder with a random name is created in it


@contextmanager
def folder_in_memory(factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that every account can enter, in memory if there is room: databases are created there much faster."""
    memory = os.statvfs(MEMORY) if os.access(MEMORY, os.W_OK) else None
    if memory and memory.f_frsize * memory.f_bavail >= MEMORY_NEEDED and not memory.f_flag & os.ST_NOEXEC:
        with TemporaryDirectory(prefix="spellbook-", dir=MEMORY) as name:
            Path(name).chmod(0o755)
            yield Path(name)
        return
    directory = factory.mktemp("data")
    for folder in (directory, *directory.parents[:2]):
        folder.chmod(0o755)
    yield directory


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """A PostgreSQL server for this test session, without durability."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with folder_in_memory(tmp_path_factory) as directory:
        server = Postgres(directory / "cluster", port, secrets.token_urlsafe(16), durable=False)
        server.start()
        yield server
        server.remove()


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """Name of a database with the platform's own tables, to copy from."""
    postgres.prepare_warehouse()
    return WAREHOUSE


@pytest.fixture
def warehouse(postgres: Postgres, template: str) -> Iterator[str]:
    """URI of a warehouse without any dataset."""
    name = f"warehouse_{secrets.token_hex(6)}"
    postgres.create_database(name, template)
    yield postgres.uri(name)
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def ledger(postgres: Postgres, template: str) -> str:
    """URI of a warehouse that holds the rate limits of all tests, each under its own name."""
    postgres.create_database("rate_limits", template)
    return postgres.uri("rate_limits")


@pytest.fixture(scope="module")
def upstreams() -> Iterator[str]:
    """Base URL of the sample upstreams."""
    with serve() as url:
        yield url


@pytest.fixture
def control(upstreams: str) -> Iterator[Control]:
    """The upstreams' control, without active scenarios or recorded requests."""
    control = Control(upstreams)
    control.reset()
    yield control
    control.reset()


@pytest.fixture(scope="session")
def s3_url() -> Iterator[str]:
    """URL of an S3 server: a single one, because Airflow caches the file system of a connection."""
    server = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def bucket(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Any]:
    """Makes an empty bucket behind `aws_default`, and returns a client."""
    keys = {"aws_access_key_id": "spellbook", "aws_secret_access_key": "spellbook", "region_name": "us-east-1"}
    connection = {
        "conn_type": "aws",
        "login": keys["aws_access_key_id"],
        "password": keys["aws_secret_access_key"],
        "extra": {"endpoint_url": s3_url, "region_name": keys["region_name"]},
    }
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", json.dumps(connection))

    def make(name: str) -> Any:
        client = boto3.client("s3", endpoint_url=s3_url, **keys)
        client.create_bucket(Bucket=name)
        return client

    return make


@dataclass
class Mlflow(Process):
    """An MLflow server with its two users."""

    def log_in(self, user: str) -> Server:
        """Return the server with a user's login."""
        return Server(self.url, user, self.environment[tracking_server.PASSWORDS[user]])

    @property
    def server(self) -> Server:
        """The server with the login of DAGs."""
        return self.log_in(tracking_server.PIPELINE)


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mlflow]:
    """An MLflow server with its own database."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = ["include.core.ml.tracking_server", "--auth-config", str(folder / "auth.ini")]
    command += ["--host", "127.0.0.1", "--port", str(port), "--artifacts-destination", str(folder / "artifacts")]
    environment = {tracking_server.DATABASE: f"sqlite:///{folder}/mlflow.db"}
    environment |= {variable: secrets.token_hex(16) for variable in tracking_server.PASSWORDS.values()}
    server = Mlflow(command, f"http://127.0.0.1:{port}", folder / "log", environment)
    server.start()
    yield server
    server.kill()
