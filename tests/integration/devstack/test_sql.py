"""`make sql` shows tables and rows, and changes nothing."""

from __future__ import annotations

import re
from io import StringIO

import psycopg
import pytest
from rich.console import Console

from devstack.errors import StackError
from devstack.sql import SHOWN, show


@pytest.fixture
def shop(warehouse: str) -> str:
    """A warehouse with a table of 101 rows."""
    with psycopg.connect(warehouse) as connection:
        connection.execute("CREATE TABLE shop AS SELECT n, '[bold]' || n AS name FROM generate_series(1, 101) AS n")
        connection.execute("UPDATE shop SET name = NULL WHERE n = 2")
        connection.execute("UPDATE shop SET name = E'\\x1b[31m' WHERE n = 3")
    return warehouse


def shown(uri: str, query: str = "") -> str:
    output = StringIO()
    show(Console(file=output, width=200), uri, query)
    return output.getvalue()


def test_tables_and_rows_are_shown(shop: str) -> None:
    assert "│ public │ shop " in shown(shop)
    assert "│ 101 " in shown(shop)
    rows = shown(shop, "SELECT * FROM shop ORDER BY n;")
    assert "│ 1   │ [bold]1 " in rows
    assert "NULL" in rows
    assert "\x1b" not in rows
    assert "[bold]100" in rows
    assert "[bold]101" not in rows
    assert f"the first {SHOWN} rows" in rows
    assert "the first" not in shown(shop, "SELECT 1 AS one")


def test_rows_that_are_too_wide_for_a_table_are_lists(shop: str) -> None:
    query = "SELECT n, repeat('x', 300) AS long, c.* FROM shop, pg_class AS c WHERE relname = 'shop' ORDER BY n LIMIT 2"
    wide = shown(shop, query)
    assert "row 2 ─" in wide
    assert re.search(r"^n +2$", wide, re.MULTILINE)
    assert re.search(r"^long +x{300}$", wide, re.MULTILINE)


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM shop",
        "WITH gone AS (DELETE FROM shop RETURNING *) SELECT * FROM gone",
        "SELECT 1; DELETE FROM shop",
        "SELECT 1; COMMIT; SET default_transaction_read_only = off; DELETE FROM shop; COMMIT",
        "SELECT nothing FROM nowhere",
        "SELECT setval('spellbook_none', 1)",
    ],
)
def test_what_is_no_query_is_refused(shop: str, query: str) -> None:
    with pytest.raises(StackError, match="QUERY: "):
        shown(shop, query)
    with psycopg.connect(shop) as connection:
        assert connection.execute("SELECT count(*) FROM shop").fetchone() == (101,)
