"""Roles and databases on a real server: created, given their passwords, and created again safely."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy.compose import databases, secrets
from deploy.compose.databases import Server, prepare
from deploy.compose.errors import SetupError
from devstack.postgres import Postgres


@pytest.fixture
def volumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Secrets, written where the code under test looks for them."""
    for secret in secrets.SECRETS:
        (tmp_path / secret.name).mkdir()
    secrets.write_secrets({}, tmp_path / "given", tmp_path)
    read = secrets.read
    monkeypatch.setattr(secrets, "read", lambda name, file=secrets.VALUE, volumes=tmp_path: read(name, file, volumes))
    return tmp_path


@pytest.fixture
def server(postgres: Postgres, volumes: Path) -> Iterator[Server]:
    """The server, with the superuser ``postgres`` that the image has."""
    superuser = secrets.read("postgres-password", volumes=volumes)
    with psycopg.connect(postgres.uri("postgres"), autocommit=True) as session:
        session.execute("DROP ROLE IF EXISTS postgres")
        session.execute(sql.SQL("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD {}").format(sql.Literal(superuser)))
        declared = databases.SERVERS[0]
        yield Server(
            "127.0.0.1",
            declared.superuser_secret,
            declared.databases,
            declared.passwords,
            declared.monitored,
            postgres.port,
        )
        for name in declared.databases:
            session.execute(sql.SQL("DROP DATABASE IF EXISTS {}").format(sql.Identifier(name)))
        for role in (*declared.passwords, "postgres"):
            session.execute(sql.SQL("DROP ROLE IF EXISTS {}").format(sql.Identifier(role)))


def login(server: Server, role: str, database: str) -> psycopg.Connection[tuple[object, ...]]:
    password = secrets.read(server.passwords[role])
    return psycopg.connect(
        host=server.host, port=server.port, user=role, password=password, dbname=database, autocommit=True
    )


def test_each_owner_may_connect_to_its_own_database_only(server: Server) -> None:
    prepare(server)
    for database, owner in server.databases.items():
        with login(server, owner, database) as session:
            session.execute("CREATE TABLE mine (id int)")
        for other_owner in set(server.databases.values()) - {owner}:
            with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
                login(server, other_owner, database)


def test_the_monitor_reads_statistics_but_no_tables(server: Server) -> None:
    prepare(server)
    with login(server, "airflow", "airflow") as session:
        session.execute("CREATE TABLE mine (id int)")
    with login(server, "monitor", "airflow") as session:
        assert session.execute("SELECT count(*) FROM pg_stat_activity WHERE query IS NOT NULL").fetchone() != (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("SELECT * FROM mine")


def test_a_second_setup_keeps_the_data_and_applies_the_new_password(server: Server, volumes: Path) -> None:
    prepare(server)
    with login(server, "airflow", "airflow") as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS id")
    secrets.write_secrets({"SPELLBOOK_METADATA_PASSWORD": "another-long-one-1'\"\\"}, volumes / "given", volumes)
    prepare(server)
    with login(server, "airflow", "airflow") as session:
        assert session.execute("SELECT id FROM kept").fetchone() == (1,)


def test_a_changed_superuser_password_is_explained(server: Server, volumes: Path) -> None:
    secrets.write_secrets({"SPELLBOOK_POSTGRES_PASSWORD": "changed-after-the-fact"}, volumes / "given", volumes)
    with pytest.raises(SetupError, match=r"secret postgres-password was changed .* ALTER ROLE postgres PASSWORD"):
        prepare(server)


def test_an_unreachable_server_is_named(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(databases, "TIMEOUT", 1)
    unreachable = Server("127.0.0.1", server.superuser_secret, {}, {}, (), port=9)
    with pytest.raises(SetupError, match=r"the server 127\.0\.0\.1 didn't respond within 1 s"):
        prepare(unreachable)
