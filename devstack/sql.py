"""``make sql``: look at the rows of the warehouse, without changing any."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

from devstack.errors import UsageError
from include.core.warehouse.preview.terminal import printable, whole

Connection = psycopg.Connection[tuple[Any, ...]]
Shown = tuple[list[str], list[tuple[Any, ...]]]
"""Names of columns, and rows."""

SHOWN = 100
HELP = "give one SELECT, and a schema where it isn't the warehouse's; `make sql` lists schemas and tables"
WIDEST = 1_000_000
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
        raise UsageError(f"QUERY: {error.diag.message_primary or str(error).strip()}; {HELP}") from error
    shown = [["NULL" if value is None else str(value) for value in row] for row in rows]
    _print(console, names, shown[:SHOWN] if query else shown)
    if query and len(rows) > SHOWN:
        console.print(f"the first {SHOWN} rows; LIMIT and OFFSET show others")
    if not query:
        console.print("make sql QUERY='SELECT * FROM weather_data' shows a table's rows")


def _print(console: Console, names: list[str], rows: list[list[str]]) -> None:
    """Print rows as a table or, if that is too wide, each as a list."""
    table = Table()
    for name in names:
        table.add_column(printable(name))
    for row in rows:
        table.add_row(*map(printable, row))
    if Measurement.get(console, console.options.update(width=WIDEST), table).maximum <= console.width:
        console.print(table)
        return
    widest = max(map(len, names))
    for number, row in enumerate(rows, 1):
        console.rule(f"row {number}", align="left")
        for name, value in zip(names, row, strict=True):
            console.print(whole(f"{name:{widest}}  {value}"), soft_wrap=True)


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
