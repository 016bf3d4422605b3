"""Creation of tables, safe when many workers do it at once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql

from include.core.warehouse.dataset import LINEAGE, Dataset
from include.core.warehouse.errors import SchemaMismatchError

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

SQL_DIRECTORY = Path(__file__).parent / "sql"
LINEAGE_TYPES = dict(zip(LINEAGE, ("bigint", "timestamp with time zone"), strict=True))


def run_file(session: Session, name: str) -> None:
    """Run ``sql/<name>`` in one transaction, one session at a time: ``IF NOT EXISTS`` alone fails in a race."""
    statements = (SQL_DIRECTORY / name).read_bytes()
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended('warehouse schema', 0))")
        session.execute(statements)


def exists(session: Session, table: str) -> bool:
    """Tell whether there is a table of this name."""
    return session.execute("SELECT to_regclass(%s)", [table]).fetchone() != (None,)


def create_schema(session: Session) -> None:
    """Create ``load_log``, ``load_fence`` and ``quarantine`` where they are missing."""
    run_file(session, "bookkeeping.sql")


def create_table(session: Session, dataset: Dataset) -> None:
    """Create the dataset's table, and the bookkeeping that loads need, where they are missing.

    Raises:
        SchemaMismatchError: if the table exists with other columns, types or primary key; it is left alone.
    """
    create_schema(session)
    table = sql.Identifier(dataset.name)
    declared = {column.name: column.type for column in dataset.columns} | LINEAGE_TYPES
    optional = {column.name for column in dataset.columns if column.nullable}
    definitions = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(name), sql.SQL(kind), sql.SQL("NULL" if name in optional else "NOT NULL")
        )
        for name, kind in declared.items()
    ]
    definitions.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, dataset.key))))
    with session.transaction():
        session.execute("SELECT pg_advisory_xact_lock(hashtextextended('warehouse schema', 0))")
        session.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(table, sql.SQL(", ").join(definitions)))
        _compare(session, dataset, dict(declared))
        for column in dataset.columns:
            session.execute(
                sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(
                    table, sql.Identifier(column.name), sql.Literal(column.doc)
                )
            )


def _compare(session: Session, dataset: Dataset, declared: dict[str, str]) -> None:
    """Refuse a table that isn't the declared one; the caller's transaction is rolled back."""
    found = session.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute"
        " WHERE attrelid = quote_ident(%s)::regclass AND attnum > 0 AND NOT attisdropped",
        [dataset.name],
    ).fetchall()
    actual = {str(name): str(kind) for name, kind in found}
    differing = [
        f"{name}: declared {declared.get(name, 'not at all')}, found {actual.get(name, 'nothing')}"
        for name in sorted(declared | actual)
        if declared.get(name) != actual.get(name)
    ]
    key = session.execute(
        "SELECT array_agg(attname::text ORDER BY attname) FROM pg_index"
        " JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY(indkey)"
        " WHERE indrelid = quote_ident(%s)::regclass AND indisprimary",
        [dataset.name],
    ).fetchone()
    if not key or key[0] != sorted(dataset.key):
        differing.append(f"primary key: declared {sorted(dataset.key)}, found {key[0] if key else None}")
    if differing:
        raise SchemaMismatchError(
            f"table {dataset.name} isn't what its dataset declares: {'; '.join(differing)}. Migrate the table, or"
            " correct the dataset."
        )
