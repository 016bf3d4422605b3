"""Roles and databases on a real server: created, given their passwords, and created again safely."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from deploy.compose import databases, secrets
from deploy.compose.databases import Server, prepare
from deploy.compose.errors import SetupError
from devstack.postgres import Postgres
from include.core.ml import checksums
from include.core.ml.serving.spool import INSERTS
from include.core.warehouse.connect import connect
from include.core.warehouse.migrations import migrate


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
    """The server ``postgres``, with other names of its databases: one called ``airflow`` may exist already."""
    declared = databases.SERVERS[0]
    names = {f"database_of_{owner}": owner for owner in declared.databases.values()}
    yield from running(replace(declared, databases=names), postgres, volumes)


@pytest.fixture
def warehouse_server(postgres: Postgres, volumes: Path) -> Iterator[Server]:
    """The server ``warehouse``, with another name of its database."""
    declared = databases.SERVERS[1]
    yield from running(replace(declared, databases={"warehouse_of_loader": "loader"}), postgres, volumes)


def running(declared: Server, postgres: Postgres, volumes: Path) -> Iterator[Server]:
    """A declared server, with the superuser ``postgres`` that the image has."""
    superuser = secrets.read(declared.superuser_secret, volumes=volumes)
    with psycopg.connect(postgres.uri("postgres"), autocommit=True) as session:
        session.execute("DROP ROLE IF EXISTS postgres")
        session.execute(sql.SQL("CREATE ROLE postgres SUPERUSER LOGIN PASSWORD {}").format(sql.Literal(superuser)))
        yield replace(declared, host="127.0.0.1", port=postgres.port)
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
    with login(server, "airflow", "database_of_airflow") as session:
        session.execute("CREATE TABLE mine (id int)")
    with login(server, "monitor", "database_of_airflow") as session:
        assert session.execute("SELECT count(*) FROM pg_stat_activity WHERE query IS NOT NULL").fetchone() != (0,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("SELECT * FROM mine")


def test_the_model_server_writes_predictions_but_no_checksums(warehouse_server: Server) -> None:
    prepare(warehouse_server)
    password = secrets.read("loader-password")
    uri = f"postgresql://loader:{password}@127.0.0.1:{warehouse_server.port}/warehouse_of_loader"
    migrate(uri)
    databases.grant_model_server(uri)
    checksums.record(uri, "titanic", 1, {"model": "0" * 64})
    own = uri.replace(f"loader:{password}", f"model_server:{secrets.read('model-server-password')}")
    assert checksums.require(own, "titanic", 1, "model", "1" * 64) == "0" * 64
    for statement in INSERTS.values():
        with connect(own) as session, pytest.raises(psycopg.errors.NotNullViolation):  # after the check of rights
            session.execute(statement, ["[{}]"])
    for statement in (
        "UPDATE model_checksum SET version = 2",
        "DELETE FROM model_checksum",
        "CREATE TABLE mine (id int)",
    ):
        with connect(own) as session, pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        checksums.record(own, "titanic", 2, {"model": "0" * 64})


def test_a_second_setup_keeps_the_data_and_applies_the_new_password(server: Server, volumes: Path) -> None:
    prepare(server)
    with login(server, "airflow", "database_of_airflow") as session:
        session.execute("CREATE TABLE kept AS SELECT 1 AS id")
    secrets.write_secrets({"SPELLBOOK_METADATA_PASSWORD": "another-long-one-1'\"\\"}, volumes / "given", volumes)
    prepare(server)
    with login(server, "airflow", "database_of_airflow") as session:
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


def test_the_reader_reads_every_table_and_writes_none(warehouse_server: Server) -> None:
    prepare(warehouse_server)
    with login(warehouse_server, "loader", "warehouse_of_loader") as session:
        session.execute("CREATE TABLE loaded AS SELECT 1 AS id")
    with login(warehouse_server, "reader", "warehouse_of_loader") as session:
        assert session.execute("SELECT id FROM loaded").fetchone() == (1,)
        for statement in ("INSERT INTO loaded VALUES (2)", "CREATE TABLE mine (id int)"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                session.execute(statement)
        session.execute("SET default_transaction_read_only = off")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute("INSERT INTO loaded VALUES (2)")
