"""The platform's own tables: created, migrated and kept, whatever existed before."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy.exc
from alembic.util import CommandError
from psycopg import sql

from devstack.postgres import Postgres
from devstack.state import REPOSITORY
from include.core.warehouse import migrations
from include.core.warehouse.connect import connect
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.errors import NotMigratedError
from include.core.warehouse.migrations import LATEST, migrate
from include.core.warehouse.schema import create_table
from tests.integration.warehouse.cases import WEATHER

BEFORE = Path(__file__).parent / "before_migrations.sql"
"""Dump of a warehouse as the last release without migrations left it, with rows in every table."""
MODEL_DAILY = Dataset(
    name="model_daily",
    columns=(
        Column("day", "date"),
        Column("model", "text"),
        Column("version", "integer"),
        Column("segment", "text"),
        Column("predictions", "bigint"),
        Column("outcomes", "bigint"),
        Column("accuracy", "double precision", nullable=True),
        Column("expected", "double precision"),
        Column("alarm", "boolean"),
    ),
    key=("day", "model", "version", "segment"),
    partition="day",
)
Content = dict[str, list[dict[str, Any]]]


@pytest.fixture
def empty(postgres: Postgres) -> Iterator[str]:
    """URI of a database without any table."""
    name = f"empty_{secrets.token_hex(6)}"
    postgres.create_database(name)
    yield postgres.uri(name)
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def restore(uri: str) -> None:
    with psycopg.connect(uri) as connection:
        connection.execute(BEFORE.read_bytes())


def content(uri: str) -> Content:
    """Every row of every table, except the version table."""
    with psycopg.connect(uri) as session:
        tables = [
            str(name)
            for (name,) in session.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")
            if name != migrations.VERSION_TABLE
        ]
        every = sql.SQL("SELECT to_jsonb(it) FROM {} AS it")
        return {name: [row for (row,) in session.execute(every.format(sql.Identifier(name)))] for name in tables}


def create_tables(uri: str) -> None:
    with connect(uri) as session:
        for dataset in (WEATHER, MODEL_DAILY):
            create_table(session, dataset)


def columns(uri: str) -> list[tuple[object, ...]]:
    with connect(uri) as session:
        return (
            session.execute(
                "SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns"
                " WHERE table_schema = 'public' ORDER BY 1, 2"
            ).fetchall()
            + session.execute(
                "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
                " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2"
            ).fetchall()
        )


def test_migrating_an_old_warehouse_loses_nothing(empty: str, warehouse: str) -> None:
    restore(empty)
    before = content(empty)
    assert all(before.values())
    assert migrate(empty) == LATEST
    after = content(empty)
    for row in after["model_daily"]:
        row["date"] = row.pop("day")
    assert {(row.pop("requested_at"), row.pop("covered")) for row in after["load_log"]} == {(None, None)}
    added = {tuple(row.pop(name) for name in ("role", "champion_id", "milliseconds")) for row in after["predictions"]}
    assert added == {("champion", None, None)}
    assert len(after.pop("alert_drain")) == 1
    assert after == before | {
        "load_profile": [],
        "model_checksum": [],
        "model_alarm_acknowledgement": [],
        "model_verdict": [],
        "model_scores": [],
    }
    create_tables(empty)
    create_tables(warehouse)
    assert columns(empty) == columns(warehouse)


def test_an_unsent_mail_to_several_addresses_is_split(empty: str) -> None:
    restore(empty)
    rows = {("a", "sent"): "one@x.org, two@x.org", ("b", ""): "one@x.org, two@x.org", ("c", ""): "one@x.org"}
    with connect(empty) as session:
        session.execute("DELETE FROM alert_outbox")
        for (key, sent), recipient in rows.items():
            session.execute(
                "INSERT INTO alert_outbox (alert_key, medium, conn_id, recipient, username, kind, severity, dag_id,"
                " run_id, attempt, body, created_at, due_at, attempts, next_at, last_error, sent_at)"
                " VALUES (%s, 'mail', 'smtp_default', %s, '', 'failed', 'act', 'spell', 'r', '', '{}', now(), now(), 2,"
                " now(), '550', %s)",
                [key, recipient, "now" if sent else None],
            )
    migrate(empty)
    with connect(empty) as session:
        split = session.execute(
            "SELECT alert_key, recipient, attempts, last_error FROM alert_outbox ORDER BY alert_key, recipient"
        ).fetchall()
    assert split == [
        ("a", "one@x.org, two@x.org", 2, "550"),
        ("b", "one@x.org", 2, "550"),
        ("b", "two@x.org", 2, "550"),
        ("c", "one@x.org", 2, "550"),
    ]


def test_older_schemas_are_migrated(empty: str, warehouse: str) -> None:
    restore(empty)
    with connect(empty) as session:
        session.execute("ALTER TABLE load_log DROP COLUMN replayed_from")
        session.execute("ALTER TABLE predictions DROP CONSTRAINT predictions_purpose")
        session.execute("ALTER TABLE predictions ADD CHECK (purpose IN ('live', 'check'))")
    migrate(empty)
    create_tables(warehouse)
    assert columns(empty) == columns(warehouse)


def test_concurrent_and_repeated_migrations_succeed(empty: str) -> None:
    command = [sys.executable, "-m", "devstack", "migrate"]
    environment = os.environ | {"WAREHOUSE_URI": empty}
    runs = [
        subprocess.Popen(command, cwd=REPOSITORY, env=environment, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for run in runs:
        assert f"version {LATEST}" in run.communicate()[0]
    assert migrate(empty) == LATEST


def test_a_failed_migration_leaves_the_warehouse_unchanged(empty: str) -> None:
    restore(empty)
    with connect(empty) as session:
        session.execute("DROP TABLE outcomes")
        session.execute("CREATE VIEW outcomes AS SELECT 1 AS prediction_id")
        session.execute("ALTER TABLE load_log DROP COLUMN dataset CASCADE")  # an index is to be created on it
    before = content(empty)
    with pytest.raises((psycopg.Error, sqlalchemy.exc.DBAPIError)):
        migrate(empty)
    assert content(empty) == before


def test_without_migrations_nothing_is_loaded(empty: str) -> None:
    with connect(empty) as session, pytest.raises(NotMigratedError, match=r"version none.*docs/deploy.md"):
        create_table(session, WEATHER)
    assert content(empty) == {}


def test_a_newer_version_is_accepted_and_an_unknown_one_refused(warehouse: str) -> None:
    with connect(warehouse) as session:
        session.execute("UPDATE spellbook_version SET version_num = '9999'")
        assert migrate(warehouse) == "9999"
        create_table(session, WEATHER)
        session.execute("UPDATE spellbook_version SET version_num = '0000'")
        with pytest.raises(NotMigratedError, match="version 0000"):
            create_table(session, WEATHER)
    with pytest.raises(CommandError, match="0000"):
        migrate(warehouse)
