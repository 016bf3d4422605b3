"""Creates and widens a dataset's table, safely from concurrent workers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
from psycopg import sql

from include.core.warehouse.dataset import LINEAGE, Dataset
from include.core.warehouse.errors import SchemaMismatchError
from include.core.warehouse.migrations import LOCK, require_migrated

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

LINEAGE_TYPES = dict(zip(LINEAGE, ("bigint", "timestamp with time zone"), strict=True))
WIDER = {
    ("integer", "bigint"),
    ("integer", "double precision"),
    ("integer", "numeric"),
    ("bigint", "numeric"),
}
"""Conversions of PostgreSQL types that keep every value exact."""


def exists(session: Session, table: str) -> bool:
    """Return whether the table exists."""
    return session.execute("SELECT to_regclass(%s)", [table]).fetchone() != (None,)


def create_table(session: Session, dataset: Dataset) -> None:
    """Create the dataset's table if it is missing, else widen it as the dataset declares.

    Widening adds a nullable column, drops a NOT NULL, or changes an integer column to a wider type.

    Raises:
        NotMigratedError: if the platform's own tables aren't migrated.
        SchemaMismatchError: if the table needs any other change, with the SQL for it; the table is unchanged.
    """
    require_migrated(session)
    table = sql.Identifier(dataset.name)
    optional = {column.name for column in dataset.columns if column.nullable}
    definitions = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(name), sql.SQL(kind), sql.SQL("NULL" if name in optional else "NOT NULL")
        )
        for name, kind in _declared(dataset).items()
    ]
    definitions.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, dataset.key))))
    with session.transaction():
        session.execute(LOCK)
        session.execute(sql.SQL("CREATE TABLE IF NOT EXISTS {} ({})").format(table, sql.SQL(", ").join(definitions)))
        _widen(session, dataset)
        for column in dataset.columns:
            session.execute(
                sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(
                    table, sql.Identifier(column.name), sql.Literal(column.doc)
                )
            )


def _declared(dataset: Dataset) -> dict[str, str]:
    return {column.name: column.type for column in dataset.columns} | LINEAGE_TYPES


def _widen(session: Session, dataset: Dataset) -> None:
    """Widen the table to the declaration, or raise, which rolls back the caller's transaction."""
    actual = {
        str(name): (str(kind), bool(required))
        for name, kind, required in session.execute(
            "SELECT attname, format_type(atttypid, atttypmod), attnotnull FROM pg_attribute"
            " WHERE attrelid = quote_ident(%s)::regclass AND attnum > 0 AND NOT attisdropped",
            [dataset.name],
        )
    }
    declared = _declared(dataset)
    optional = {column.name for column in dataset.columns if column.nullable}
    widening, other = [], []
    for name in sorted(declared | actual.keys()):
        column, kind = sql.Identifier(name), sql.SQL(declared.get(name, ""))
        if name not in declared:
            other.append(sql.SQL("DROP COLUMN {}").format(column))
        elif name not in actual:
            change = sql.SQL("ADD COLUMN {} {}").format(column, kind)
            if name in optional:
                widening.append(change)
            else:
                other.append(sql.SQL("{} NOT NULL DEFAULT ...").format(change))
        else:
            current_type, required = actual[name]
            if declared[name] != current_type:
                change = sql.SQL("ALTER COLUMN {} TYPE {}").format(column, kind)
                if (current_type, declared[name]) in WIDER:
                    widening.append(change)
                else:
                    other.append(sql.SQL("{0} USING {1}::{2}").format(change, column, kind))
            if required and name in optional:
                widening.append(sql.SQL("ALTER COLUMN {} DROP NOT NULL").format(column))
            elif not required and name not in optional:
                other.append(sql.SQL("ALTER COLUMN {} SET NOT NULL").format(column))
    other += _key_changes(session, dataset)
    if other:
        raise SchemaMismatchError(_mismatch_message(session, dataset, other, actual))
    if widening:
        try:
            session.execute(_alter(dataset, widening))
        except psycopg.errors.FeatureNotSupported as error:
            raise SchemaMismatchError(
                f"table {dataset.name} can't be widened to its dataset's declaration: {error.diag.message_primary}"
                f" ({error.diag.message_detail}). Drop the dependent objects, and rebuild them with dbt afterwards."
            ) from error


def _key_changes(session: Session, dataset: Dataset) -> list[sql.Composed]:
    row = session.execute(
        "SELECT conname, array_agg(attname::text ORDER BY attname) FROM pg_constraint"
        " JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)"
        " WHERE conrelid = quote_ident(%s)::regclass AND contype = 'p' GROUP BY conname",
        [dataset.name],
    ).fetchone()
    if row and row[1] == sorted(dataset.key):
        return []
    drop = [sql.SQL("DROP CONSTRAINT {}").format(sql.Identifier(str(row[0])))] if row else []
    return [*drop, sql.SQL("ADD PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, dataset.key)))]


def _alter(dataset: Dataset, changes: list[sql.Composed]) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} {}").format(sql.Identifier(dataset.name), sql.SQL(", ").join(changes))


def _mismatch_message(
    session: Session, dataset: Dataset, changes: list[sql.Composed], actual: dict[str, tuple[str, bool]]
) -> str:
    declared = _declared(dataset)
    differing = [
        f"{name}: declared {declared.get(name, 'not at all')}, found {actual[name][0] if name in actual else 'nothing'}"
        for name in sorted(declared | actual.keys())
        if name not in actual or declared.get(name) != actual[name][0]
    ]
    return (
        f"table {dataset.name} differs from its dataset's declaration"
        f" ({'; '.join(differing) or 'different constraints'}), and the change could lose rows."
        " Correct the dataset, or migrate the table (docs/deploy.md, Migrations):"
        f" {_alter(dataset, changes).as_string(session)};"
    )
