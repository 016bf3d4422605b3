"""``make sql``: look at the rows of the warehouse, without changing any."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console
from rich.table import Table

from devstack.errors import StackError
from include.core.warehouse.preview.terminal import printable

Connection = psycopg.Connection[tuple[Any, ...]]
Shown = tuple[list[str], list[tuple[Any, ...]]]
"""Names of columns, and rows."""

SHOWN = 100
TABLES = """
SELECT n.nspname, c.relname FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm') AND n.nspname !~ '^(pg_|information_schema$)' ORDER BY 1, 2
"""
OPTIONS = "-c default_transaction_read_only=on -c statement_timeout=60s"


def show(console: Console, uri: str, query: str) -> None:
    """Print the first :data:`SHOWN` rows of a query, or the tables with their number of rows if it is empty.

    Raises:
        StackError: with PostgreSQL's message, if it isn't a valid query, or takes longer than a minute.
    """
    try:
        with psycopg.connect(uri, options=OPTIONS) as connection:
            names, rows = _rows(connection, query) if query else _tables(connection)
    except psycopg.Error as error:
        raise StackError(f"QUERY: {str(error).strip()}") from error
    table = Table()
    for name in names:
        table.add_column(printable(name))
    for row in rows[:SHOWN] if query else rows:
        table.add_row(*(printable("NULL" if value is None else str(value)) for value in row))
    console.print(table)
    if query and len(rows) > SHOWN:
        console.print(f"the first {SHOWN} rows; LIMIT and OFFSET show others")
    if not query:
        console.print("make sql QUERY='SELECT * FROM weather_data' shows the rows of one")


def _rows(connection: Connection, query: str) -> Shown:
    # DECLARE takes nothing but a query, and no more rows are fetched than are shown.
    with connection.cursor("rows") as cursor:
        cursor.execute(query.strip().rstrip(";"))
        rows = cursor.fetchmany(SHOWN + 1)
        return [column.name for column in cursor.description or ()], rows


def _tables(connection: Connection) -> Shown:
    rows = []
    for schema, name in connection.execute(TABLES).fetchall():
        count = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(schema, name))
        rows += [(schema, name, *row) for row in connection.execute(count)]
    return ["schema", "table", "rows"], rows
