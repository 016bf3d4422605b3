"""Creates and widens a dataset's table, safely from concurrent workers, and without DDL if it is as declared."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from include.core.settings import WAREHOUSE_SCHEMA
from include.core.warehouse.access import require_access
from include.core.warehouse.dataset import LINEAGE, Dataset
from include.core.warehouse.errors import AccessError, MissingTableError, SchemaMismatchError, TableBusyError
from include.core.warehouse.migrations import require_migrated

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Column

LINEAGE_TYPES = dict(zip(LINEAGE, ("bigint", "timestamp with time zone"), strict=True))
WIDER = {
    ("integer", "bigint"),
    ("integer", "double precision"),
    ("integer", "numeric"),
    ("bigint", "numeric"),
}
"""Conversions of PostgreSQL types that keep every value exact."""

STATE = """
    SELECT
        relation.oid IS NOT NULL AS present,
        current_schema() AS schema,
        current_user AS role,
        coalesce(
            pg_has_role(relation.relowner, 'USAGE'), has_schema_privilege(current_schema(), 'CREATE')
        ) AS may_alter,
        ARRAY(
            SELECT ARRAY[
                attname::text, format_type(atttypid, atttypmod), attnotnull::text, col_description(attrelid, attnum)
            ]
            FROM pg_attribute WHERE attrelid = relation.oid AND attnum > 0 AND NOT attisdropped
        ) AS columns,
        (SELECT conname FROM pg_constraint WHERE conrelid = relation.oid AND contype = 'p') AS key_name,
        ARRAY(
            SELECT attname::text FROM pg_constraint
            INNER JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)
            WHERE conrelid = relation.oid AND contype = 'p' ORDER BY attname
        ) AS key,
        (SELECT max(load_id) FROM load_log WHERE dataset = %(name)s AND relation.oid IS NULL) AS last_load
    FROM (VALUES (true)) AS always (present)
    LEFT JOIN pg_class AS relation
        ON relname = %(name)s
        AND relnamespace = to_regnamespace(quote_ident(current_schema()))
        AND relkind = ANY('{r,p,f,v,m}')
"""
TABLE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('table ' || %s, 0))"
COMMENT_PATIENCE = "SET LOCAL lock_timeout = '1s'"
HOLDERS = """
    SELECT DISTINCT format('process %%s (%%s: %%s)', pid, usename, left(query, 60)) FROM pg_locks
    INNER JOIN pg_stat_activity USING (pid)
    WHERE relation = to_regclass(quote_ident(%s)) AND pg_locks.database = (
        SELECT oid FROM pg_database WHERE datname = current_database()
    ) AND granted AND pid <> pg_backend_pid()
"""

log = logging.getLogger(__name__)


def exists(session: Session, table: str) -> bool:
    """Return whether the table exists."""
    return session.execute("SELECT to_regclass(%s)", [table]).fetchone() != (None,)


@dataclass(frozen=True)
class _State:
    """A table as it is; ``columns`` are name, type, whether it is NOT NULL, and comment.

    ``may_alter``: whether the role may alter the table, or create it if it isn't ``present``. ``last_load``: the last
    load of a table that isn't.
    """

    present: bool
    schema: str
    role: str
    may_alter: bool
    columns: list[list[str | None]]
    key_name: str | None
    key: list[str]
    last_load: int | None

    @classmethod
    def read(cls, session: Session, dataset: Dataset) -> _State:
        """Read the state of the dataset's table, with one query."""
        with session.cursor(row_factory=class_row(cls)) as cursor:
            [state] = cursor.execute(STATE, {"name": dataset.name}).fetchall()
        return state


def create_table(session: Session, dataset: Dataset) -> None:
    """Create the dataset's table if it is missing, else widen it as the dataset declares.

    Widening adds a nullable column, drops a NOT NULL, or changes an integer column to a wider type. A table that is as
    declared is neither altered nor locked, so the role needn't own it.

    Raises:
        AccessError: if the role may not load, or not create or widen the table; with the SQL for its owner.
        MissingTableError: if the table is missing although it was loaded before.
        NotMigratedError: if the platform's own tables aren't migrated.
        ReadOnlyError: if the warehouse accepts no writes.
        SchemaMismatchError: if the table needs any other change, with the SQL for it; the table is unchanged.
        TableBusyError: if the table has to be altered, but another session's lock isn't released in time.
    """
    require_access(session, dataset.name)
    require_migrated(session)
    change, comments = _changes(session, dataset)
    if not change and not comments:
        return
    try:
        with session.transaction():
            if not change:
                session.execute(COMMENT_PATIENCE)
            session.execute(TABLE_LOCK, [dataset.name])
            change, comments = _changes(session, dataset)  # another worker may have made them
            for statement in [*([change] if change else []), *comments]:
                session.execute(statement)
    except psycopg.errors.LockNotAvailable as error:
        holders = "; ".join(str(holder) for (holder,) in session.execute(HOLDERS, [dataset.name])) or "none any more"
        if not change:
            log.warning("table %s is locked, so a later load sets its comments; holders: %s", dataset.name, holders)
            return
        raise TableBusyError(
            f"table {dataset.name} has to be altered, but other sessions hold locks on it, such as a VACUUM or CREATE"
            f" INDEX; nothing was changed, and a retry succeeds when they are done. Holders: {holders}"
        ) from error
    except psycopg.errors.FeatureNotSupported as error:
        raise SchemaMismatchError(
            f"table {dataset.name} can't be widened to its dataset's declaration: {error.diag.message_primary}"
            f" ({error.diag.message_detail}). Drop the dependent objects, and rebuild them with dbt afterwards."
        ) from error


def _changes(session: Session, dataset: Dataset) -> tuple[sql.Composed | None, list[sql.Composed]]:
    """Return the statement that creates or widens the table, if it is needed, and those for missing comments."""
    state = _State.read(session, dataset)
    change = _widening(session, dataset, state) if state.present else _creation(dataset)
    statement = f"{change.as_string(session)};" if change else ""
    if state.last_load is not None:
        raise MissingTableError(
            f"load_log says that {dataset.name} was loaded (load_id {state.last_load}), but schema {state.schema} has"
            f" no such table: it was renamed, moved or dropped, or {WAREHOUSE_SCHEMA.name} names another schema."
            f" Restore it; if it was dropped on purpose, create an empty one: {statement}"
        )
    if change and not state.may_alter:
        raise AccessError(
            f"role {state.role} may not {'alter' if state.present else 'create'} table {dataset.name} in schema"
            f" {state.schema}. Have its owner run: {statement}"
        )
    current = {str(name): comment for name, *_, comment in state.columns}
    differing = [column for column in dataset.columns if (column.doc or None) != current.get(column.name)]
    return change, [_comment(dataset, column) for column in differing] if state.may_alter else []


def _creation(dataset: Dataset) -> sql.Composed:
    optional = {column.name for column in dataset.columns if column.nullable}
    definitions = [
        sql.SQL("{} {} {}").format(
            sql.Identifier(name), sql.SQL(kind), sql.SQL("NULL" if name in optional else "NOT NULL")
        )
        for name, kind in _declared(dataset).items()
    ]
    definitions.append(sql.SQL("PRIMARY KEY ({})").format(sql.SQL(", ").join(map(sql.Identifier, dataset.key))))
    return sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(dataset.name), sql.SQL(", ").join(definitions))


def _comment(dataset: Dataset, column: Column) -> sql.Composed:
    return sql.SQL("COMMENT ON COLUMN {}.{} IS {}").format(
        sql.Identifier(dataset.name), sql.Identifier(column.name), sql.Literal(column.doc)
    )


def _declared(dataset: Dataset) -> dict[str, str]:
    return {column.name: column.type for column in dataset.columns} | LINEAGE_TYPES


def _widening(session: Session, dataset: Dataset, state: _State) -> sql.Composed | None:
    """Return the statement that widens the table to the declaration, if it is needed, or raise."""
    actual = {str(name): (str(kind), required == "true") for name, kind, required, _ in state.columns}
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
    other += _key_changes(dataset, state)
    if other:
        raise SchemaMismatchError(_mismatch_message(session, dataset, other, actual))
    return _alter(dataset, widening) if widening else None


def _key_changes(dataset: Dataset, state: _State) -> list[sql.Composed]:
    if state.key == sorted(dataset.key):
        return []
    drop = [sql.SQL("DROP CONSTRAINT {}").format(sql.Identifier(state.key_name))] if state.key_name else []
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
