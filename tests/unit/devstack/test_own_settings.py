"""A user's own connections, variables and keys, in the environment and in ``.env``."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection

from devstack import own_settings
from devstack.environment import connection_uri
from devstack.errors import StackError
from include.core.warehouse.connect import conninfo


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file, which doesn't exist yet; nothing is taken from this environment, and nothing is left in it."""
    monkeypatch.setattr(own_settings, "FILE", tmp_path / ".env")
    for name in {*os.environ} | {"AIRFLOW_CONN_SHOP", "AIRFLOW_VAR_LEVEL", "SPELLBOOK_RETAIL", "SPELLBOOK_PORT"}:
        if name.startswith(own_settings.PREFIXES) or name in {*own_settings.KEYS, "SPELLBOOK_PORT"}:
            monkeypatch.setenv(name, "")
            monkeypatch.delenv(name)
    return tmp_path / ".env"


def test_settings_of_a_file_count_beside_those_of_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BANK", "http://bank")
    monkeypatch.setenv("AIRFLOW_VAR_LEVEL", "theirs")
    file.write_text(
        '# own\nAIRFLOW_CONN_SHOP=\'{"conn_type": "http", "password": "s3cret#1"}\'  # the shop\n'
        "export SPELLBOOK_RETAIL=file:///tills\nAIRFLOW_VAR_LEVEL=mine\nSPELLBOOK_PORT=9000\nSPELLBOOK_WINES=\n"
    )
    origins = own_settings.load()
    assert own_settings.for_airflow() == {
        "AIRFLOW_CONN_BANK": "http://bank",
        "AIRFLOW_CONN_SHOP": '{"conn_type": "http", "password": "s3cret#1"}',
        "AIRFLOW_VAR_LEVEL": "theirs",
    }
    assert os.environ["SPELLBOOK_RETAIL"] == "file:///tills"
    assert "SPELLBOOK_PORT" not in os.environ  # of Compose
    assert own_settings.described(origins) == [
        "bank: from the environment",
        "AIRFLOW_VAR_LEVEL: from the environment",
        "shop: from .env",
        "SPELLBOOK_RETAIL: from .env",
    ]


def test_without_a_file_nothing_is_set() -> None:
    assert own_settings.load() == {}
    assert own_settings.for_airflow() == {}


def test_a_file_that_cannot_be_read_is_named(file: Path) -> None:
    file.write_bytes(b"AIRFLOW_CONN_SHOP=\xff")
    with pytest.raises(StackError, match=r"\.env can't be read"):
        own_settings.load()


@pytest.mark.parametrize(
    "fields",
    [
        {"host": "db"},
        {"host": "db.example.com", "port": 5433, "login": "me@x", "password": "p@ss:/?#[]%&=+ ü", "schema": "my db"},
        {"host": "::1", "login": "me", "schema": "shop", "extra": {"sslmode": "require"}},
        {"host": "db", "login": "me", "extra": json.dumps({"options": "-c lock_timeout=1s", "sslmode": "prefer"})},
    ],
)
def test_a_connections_uri_is_that_of_airflow(fields: dict[str, Any]) -> None:
    text = json.dumps({"conn_type": "postgres"} | fields)
    expected = Connection.from_json(text, conn_id="x").get_uri()
    assert conninfo(connection_uri(text)) == conninfo(expected)
    assert conninfo(connection_uri(expected)) == conninfo(expected)


@pytest.mark.parametrize("text", ["s3cret", "{s3cret", '["s3cret"]', '{"host": "s3cret"}', '{"port": "s3cret"}'])
def test_what_is_no_connection_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(StackError, match="AIRFLOW_CONN_POSTGRES_DEFAULT is neither a URI nor JSON") as caught:
        connection_uri(text)
    assert "s3cret" not in str(caught.value)
