"""Sessions carry the attempt's name and limits, and Airflow's own URIs open them."""

from __future__ import annotations

import json
import time
from urllib.parse import urlsplit

import psycopg
import pytest
from airflow.sdk import Connection

from include.core.warehouse.connect import connect
from tests.integration.warehouse.cases import FIRST


def test_a_session_has_the_name_of_its_attempt_and_time_limits(warehouse: str) -> None:
    with connect(warehouse, FIRST, statement_timeout=7, lock_timeout=2.5, idle_timeout=9) as session:
        rows = session.execute(
            "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)",
            [["application_name", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout"]],
        ).fetchall()
    assert {str(name): setting for name, setting in rows} == {
        "application_name": "weather_data_pipeline.load_weather#1 scheduled__2024-06-01",
        "statement_timeout": "7000",
        "lock_timeout": "2500",
        "idle_in_transaction_session_timeout": "9000",
    }


def test_a_statement_ends_at_its_limit(warehouse: str) -> None:
    start = time.monotonic()
    with connect(warehouse, statement_timeout=0.2) as session, pytest.raises(psycopg.errors.QueryCanceled):
        session.execute("SELECT pg_sleep(30)")
    assert time.monotonic() - start < 10


@pytest.mark.parametrize(
    "extra",
    [
        {"options": "-c search_path=public -c statement_timeout=0", "connect_timeout": "5"},
        {"connect_timeout": 5, "sqlalchemy_query": {"nested": "as no query string can hold"}, "cursor": "dictcursor"},
    ],
)
def test_the_uri_of_an_airflow_connection_opens_a_session(warehouse: str, extra: dict[str, object]) -> None:
    """A password with reserved URI characters, and extras with spaces, arrive unchanged."""
    role, password = "o'brien@sales", "p@ss:w/rd?#%25 +&=ü"
    parts = urlsplit(warehouse)
    with connect(warehouse) as session:
        session.execute(psycopg.sql.SQL("DROP ROLE IF EXISTS {}").format(psycopg.sql.Identifier(role)))
        session.execute(
            psycopg.sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(
                psycopg.sql.Identifier(role), psycopg.sql.Literal(password)
            )
        )
    connection = Connection(
        conn_id="postgres_default",
        conn_type="postgres",
        host=parts.hostname,
        port=parts.port,
        login=role,
        password=password,
        schema=parts.path.removeprefix("/"),
        extra=json.dumps(extra),
    )
    uri = connection.get_uri()
    assert uri.startswith("postgres://")
    with connect(uri) as session:
        assert session.execute("SELECT current_user").fetchone() == (role,)
        assert session.info.get_parameters()["connect_timeout"] == "5"
