"""A warehouse that others run: their roles, schemas, locks and encodings."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from devstack.postgres import Postgres
from include.core.errors import ConfigurationError
from include.core.warehouse.connect import Session, connect
from include.core.warehouse.dataset import Column
from include.core.warehouse.errors import (
    AccessError,
    MissingTableError,
    NotMigratedError,
    ReadOnlyError,
    TableBusyError,
)
from include.core.warehouse.loader import load
from include.core.warehouse.migrations import migrate
from include.core.warehouse.schema import create_table
from tests.integration.warehouse.cases import DAY, FIRST, WEATHER, observations, published

SCHEMA = "SPELLBOOK_WAREHOUSE_SCHEMA"
GRANTED = (
    "GRANT SELECT ON spellbook_version TO {role}",
    "GRANT SELECT, INSERT ON load_log TO {role}",
    "GRANT SELECT, INSERT, UPDATE ON load_fence TO {role}",
    "GRANT SELECT, INSERT ON load_profile TO {role}",
    "GRANT SELECT, INSERT, DELETE ON quarantine TO {role}",
    "GRANT USAGE ON SEQUENCE load_log_load_id_seq TO {role}",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON weather_data TO {role}",
)
OTHER = replace(WEATHER, name="other_data")
WIDENED = replace(WEATHER, columns=(*WEATHER.columns, Column("wind", "numeric", nullable=True)))
RECOMMENTED = replace(WEATHER, columns=(*WEATHER.columns[:3], Column("conditions", "text", doc="In words")))


def run(uri: str, *statements: str, **names: str) -> None:
    """Run statements as the warehouse's owner, outside of our own sessions."""
    identifiers = {name: sql.Identifier(value) for name, value in names.items()}
    with psycopg.connect(uri, autocommit=True) as session:
        for statement in statements:
            session.execute(sql.SQL(statement).format(**identifiers))


@pytest.fixture
def role(warehouse: str) -> Iterator[str]:
    """A role without any privilege; its password is its name."""
    name = f"guest_{secrets.token_hex(4)}"
    run(warehouse, f"CREATE ROLE {{role}} LOGIN PASSWORD '{name}'", role=name)
    yield name
    run(warehouse, "DROP OWNED BY {role}", "DROP ROLE {role}", role=name)


def uri_of(warehouse: str, role: str) -> str:
    return make_conninfo(warehouse, user=role, password=role)


def load_day(session: Session) -> None:
    create_table(session, WEATHER)
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)


def test_a_role_that_may_only_read_and_write_loads(warehouse: str, role: str) -> None:
    with connect(warehouse) as owner:
        create_table(owner, replace(WEATHER, columns=tuple(replace(column, doc="") for column in WEATHER.columns)))
    run(warehouse, *GRANTED, role=role)
    with connect(uri_of(warehouse, role)) as session:
        load_day(session)
        assert len(published(session)) == 3


def test_what_a_role_lacks_is_named_at_once_with_the_grants(warehouse: str, role: str) -> None:
    with connect(warehouse) as owner:
        create_table(owner, WEATHER)
    run(warehouse, GRANTED[0], GRANTED[1], "GRANT SELECT ON weather_data TO {role}", role=role)
    with connect(uri_of(warehouse, role)) as session, pytest.raises(AccessError) as caught:
        create_table(session, WEATHER)
    grants = (
        f"GRANT SELECT, INSERT, UPDATE ON load_fence TO {role};",
        f"GRANT SELECT, INSERT ON load_profile TO {role};",
        f"GRANT SELECT, INSERT, DELETE ON quarantine TO {role};",
        f"GRANT INSERT, UPDATE, DELETE ON weather_data TO {role};",
        f"GRANT USAGE ON SEQUENCE public.load_log_load_id_seq TO {role};",
    )
    assert str(caught.value).endswith(f"Have the owner run: {' '.join(grants)}")
    run(warehouse, *grants)
    with connect(uri_of(warehouse, role)) as session:
        load_day(session)


def test_a_table_that_the_role_may_not_create_or_alter_comes_with_the_sql(warehouse: str, role: str) -> None:
    with connect(warehouse) as owner:
        create_table(owner, WEATHER)
    run(warehouse, *GRANTED, "REVOKE CREATE ON SCHEMA public FROM PUBLIC", role=role)
    with connect(uri_of(warehouse, role)) as session:
        with pytest.raises(
            AccessError, match=r'may not create table other_data .*: CREATE TABLE "other_data" \("date"'
        ):
            create_table(session, OTHER)
        with pytest.raises(
            AccessError, match=r'may not alter .*: ALTER TABLE "weather_data" ADD COLUMN "wind" numeric;'
        ):
            create_table(session, WIDENED)


def test_a_lock_on_one_table_delays_no_other(warehouse: str) -> None:
    """VACUUM and CREATE INDEX CONCURRENTLY hold the same lock."""
    with connect(warehouse) as session, connect(warehouse, lock_timeout=0.5) as waiting, connect(warehouse) as busy:
        create_table(session, WEATHER)
        with busy.transaction():
            busy.execute("LOCK TABLE weather_data IN SHARE UPDATE EXCLUSIVE MODE")
            load_day(session)
            create_table(waiting, RECOMMENTED)
            with pytest.raises(TableBusyError, match=r"weather_data has to be altered.* Holders: process \d+ .*LOCK"):
                create_table(waiting, WIDENED)
            create_table(waiting, OTHER)
        create_table(session, RECOMMENTED)
        comment = session.execute("SELECT col_description('weather_data'::regclass, 4)").fetchone()
        assert comment == ("In words",)


def test_a_waiting_worker_holds_up_no_other_table(warehouse: str) -> None:
    with connect(warehouse) as session, connect(warehouse) as altering, altering.transaction():
        altering.execute("SELECT pg_advisory_xact_lock(hashtextextended('table weather_data', 0))")
        create_table(session, OTHER)


def test_every_table_is_in_the_schema_of_the_setting(
    warehouse: str, role: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(warehouse, "CREATE SCHEMA {role} AUTHORIZATION {role}", role=role)
    monkeypatch.setenv(SCHEMA, "wh2")
    migrate(warehouse)
    with connect(warehouse) as session:
        session.pgconn.exec_(b"SET search_path = pg_catalog")
        load_day(session)
        session.pgconn.exec_(b"DISCARD ALL")  # a pooler assigned another server connection
        load_day(session)
        assert session.execute("SHOW search_path").fetchone() == ("wh2",)
        assert session.execute("SHOW lock_timeout").fetchone() == ("30s",)
        schemas = "SELECT table_schema FROM information_schema.tables WHERE table_name = %s ORDER BY 1"
        assert session.execute(schemas, ["weather_data"]).fetchall() == [("wh2",)]
        assert session.execute(schemas, ["spellbook_version"]).fetchall() == [("public",), ("wh2",)]
    monkeypatch.setenv(SCHEMA, "wh3")
    with connect(warehouse) as session, pytest.raises(AccessError, match=r"has no schema wh3 \(SPELLBOOK_WAREHOUSE"):
        create_table(session, WEATHER)
    monkeypatch.setenv(SCHEMA, role)
    with connect(warehouse) as session, pytest.raises(NotMigratedError, match=f"in schema {role} have version none"):
        create_table(session, WEATHER)
    monkeypatch.setenv(SCHEMA, 'a"; DROP')
    with pytest.raises(ConfigurationError, match="isn't a schema's name"):
        connect(warehouse)


def test_a_schema_named_like_the_role_changes_nothing(warehouse: str) -> None:
    with connect(warehouse) as session:
        load_day(session)
        run(warehouse, "CREATE SCHEMA AUTHORIZATION CURRENT_USER")
        load_day(session)
        assert len(published(session)) == 3


def test_a_table_that_was_loaded_and_is_missing_is_not_made_anew(warehouse: str) -> None:
    with connect(warehouse) as session:
        load_day(session)
        session.execute("ALTER TABLE weather_data RENAME TO weather_old")
        with pytest.raises(
            MissingTableError, match=r"was loaded \(load_id 1\), but schema public has no such table"
        ) as e:
            create_table(session, WEATHER)
        session.execute(sql.SQL(str(e.value).partition("create an empty one: ")[2]))
        load_day(session)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_an_encoding_that_can_not_hold_every_text_is_refused(postgres: Postgres, encoding: str) -> None:
    name = f"encoded_{secrets.token_hex(4)}"
    run(
        postgres.uri(),
        f"CREATE DATABASE {{name}} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0",
        name=name,
    )
    try:
        with pytest.raises(ConfigurationError, match=f"'{name}' has the encoding {encoding}, which can't hold every"):
            connect(postgres.uri(name))
    finally:
        run(postgres.uri(), "DROP DATABASE {name} WITH (FORCE)", name=name)


def test_a_warehouse_that_accepts_no_writes_is_reported_before_the_load(warehouse: str) -> None:
    with connect(warehouse) as session:
        load_day(session)
    name = urlsplit(warehouse).path.removeprefix("/")
    run(warehouse, "ALTER DATABASE {name} SET default_transaction_read_only = on", name=name)
    with connect(warehouse) as session:
        with pytest.raises(ReadOnlyError, match=f"database {name} is read-only for role spellbook"):
            create_table(session, WEATHER)
        assert len(published(session)) == 3, "it can still be read"
