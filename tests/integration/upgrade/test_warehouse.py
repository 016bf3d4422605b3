"""The warehouse that the first release left: migrated, nothing is lost, and today's loads accept its tables."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from devstack.postgres import Postgres
from include.core.warehouse.connect import connect
from include.core.warehouse.migrations import LATEST, VERSION_TABLE, migrate
from include.core.warehouse.schema import create_table
from include.datasets import DATASETS
from tests.integration.upgrade.archive import RELEASE, restore_database

NEW_TABLES = {
    "load_profile",
    "model_checksum",
    "alert_drain",
    "model_alarm_acknowledgement",
    "model_verdict",
    "model_scores",
}
RENAMED = {"model_daily": {"date": "day"}, "model_drift": {"date": "day"}}
ADDED: dict[str, dict[str, Any]] = {
    "load_log": {"replayed_from": None, "requested_at": None, "covered": None},
    "predictions": {"role": "champion", "champion_id": None, "milliseconds": None},
}


@pytest.fixture
def old(postgres: Postgres, tmp_path: Path) -> Iterator[str]:
    """URI of the old warehouse."""
    name = f"old_{secrets.token_hex(6)}"
    restore_database(RELEASE, "warehouse", postgres, name, tmp_path)
    yield postgres.uri(name)
    with psycopg.connect(postgres.uri(), autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def content(uri: str) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table of every schema."""
    with psycopg.connect(uri) as session:
        tables = session.execute(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname !~ '^(pg_|information_schema)' ORDER BY 1, 2"
        ).fetchall()
        return {
            table if schema == "public" else f"{schema}.{table}": [
                row
                for (row,) in session.execute(
                    sql.SQL("SELECT to_jsonb(it) FROM {} AS it").format(sql.Identifier(schema, table))
                )
            ]
            for schema, table in tables
        }


def ordered(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(json.dumps(row, sort_keys=True) for row in rows)


def as_migrated(table: str, row: dict[str, Any]) -> dict[str, Any]:
    names = RENAMED.get(table, {})
    return {names.get(name, name): value for name, value in row.items()} | ADDED.get(table, {})


def test_migrating_keeps_every_row(old: str) -> None:
    before = content(old)
    assert sum(map(len, before.values())) > 5_000
    filled = {"load_log", "load_fence", "quarantine", "alert_outbox", "alert_failure", "rate_limit", "cache_entry"}
    assert all(before[table] for table in filled | {"predictions", "sales_data", "weather_data"})
    assert migrate(old) == LATEST
    after = content(old)
    assert after.keys() - before.keys() == NEW_TABLES | {VERSION_TABLE}
    for table, rows in before.items():
        if table == "alert_outbox":
            assert messages(after[table]) == messages(rows)
        else:
            assert ordered(after[table]) == ordered([as_migrated(table, row) for row in rows]), table


def messages(rows: list[dict[str, Any]]) -> list[tuple[str, ...]]:
    """Every message to every recipient: an unsent mail to several addresses is split."""
    return sorted(
        (row["alert_key"], row["medium"], str(row["sent_at"]), recipient, json.dumps(row["body"], sort_keys=True))
        for row in rows
        for recipient in ([row["recipient"]] if row["sent_at"] else row["recipient"].split(", "))
    )


def test_todays_loads_accept_the_old_tables(old: str, warehouse: str) -> None:
    migrate(old)
    columns = "SELECT attname, atttypid::regtype::text, attnotnull FROM pg_attribute WHERE attrelid = %s::regclass"
    columns += " AND attnum > 0 AND NOT attisdropped ORDER BY 1"
    with connect(old) as migrated, connect(warehouse) as fresh:
        for dataset in DATASETS:
            kept = []
            for session in (migrated, fresh):
                create_table(session, dataset)
                kept.append(session.execute(columns, [dataset.name]).fetchall())
            assert kept[0] == kept[1], dataset.name
