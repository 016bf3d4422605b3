"""Copies rows to the stage, a temporary table in which they are audited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, LiteralString, TypeAlias, cast

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.csv as arrow_csv
from psycopg import sql

from include.core.ahead import ahead
from include.core.warehouse.dataset import HIDDEN, Dataset, Rejected, Violation
from include.core.warehouse.errors import AuditError, BrokenRule, LoadError
from include.core.warehouse.storable import UNSTORABLE, is_storable
from include.core.warehouse.validation.batch import LINE, Judged

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session
    from include.core.warehouse.quarantine import RejectedRows

BATCH = 8192
CHECKS = """
    SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint AS declared
    WHERE
        conrelid = to_regclass(quote_ident(%(table)s)) AND contype = 'c'
        AND conkey <@ ARRAY(SELECT attnum FROM pg_attribute WHERE attrelid = conrelid AND attname = ANY(%(columns)s))
        AND to_jsonb(declared) ->> 'conenforced' IS DISTINCT FROM 'false'
"""
"""The CHECK constraints that somebody added to the table, as far as they are about the dataset's columns."""
MOST_REFUSED = 1_000
"""Rows that are searched for one by one, since PostgreSQL names only the first of them."""
REFUSED = (psycopg.DataError, psycopg.errors.CheckViolation)
LOCAL_TIME = pa.timestamp("us")

Row: TypeAlias = Mapping[str, object]
Rows: TypeAlias = Iterable[Row | Rejected] | Iterable[Judged] | pd.DataFrame


def copy_rows(session: Session, dataset: Dataset, partition: str, rows: Rows, rejected: RejectedRows) -> int:
    """Copy ``rows`` to the temporary table ``stage``, which is dropped at the end of the transaction.

    It has the CHECK constraints of the published table, so that a row that breaks one is known by its file and line.

    Args:
        session: session in the load's transaction.
        dataset: what is loaded.
        partition: its partition, for messages.
        rows: see :func:`~include.core.warehouse.loader.load`.
        rejected: receives the rows that aren't copied: those passed as rejected, and those that PostgreSQL can't store.

    Returns:
        The number of rows received, rejected ones included.

    Raises:
        AuditError: if a row that the validation hasn't judged has a value of another type, or breaks a constraint.
        LoadError: if a row lacks a column or has an undeclared one, or PostgreSQL refuses more than
            :data:`MOST_REFUSED` rows.
    """
    _create_stage(session, dataset)
    columns = sql.SQL(", ").join(map(sql.Identifier, dataset.column_names))
    statement = sql.SQL("COPY stage ({}) FROM STDIN").format(columns)
    received = refused = 0
    items = iter(_mappings(rows))
    first = next(items, None)
    if isinstance(first, Judged):
        session.execute("SET LOCAL TimeZone = 'UTC'")
        for judged in ahead(chain([first], cast("Iterator[Judged]", items))):
            rejected.add(judged.rejected)
            for row in _copy_table(session, dataset, statement, judged.accepted, judged.file):
                rejected.add([row])
                refused += 1
                if refused > MOST_REFUSED:
                    raise LoadError(
                        f"{dataset.name}, partition {partition}: {row.reason}, as it did {MOST_REFUSED} others; nothing"
                        " was written. Declare the rule in the dataset, or remove it from the table."
                    )
            received += len(judged.rejected) + judged.accepted.num_rows
    elif first is not None:
        received = _copy_rows(
            session, dataset, partition, statement, chain([first], cast("Iterator[Row | Rejected]", items)), rejected
        )
    return received


def analyze(session: Session, dataset: Dataset) -> None:
    """Collect statistics of the staged keys, so that joins with them are planned for more than a few."""
    session.execute(sql.SQL("ANALYZE stage ({})").format(sql.SQL(", ").join(map(sql.Identifier, dataset.key))))


def _create_stage(session: Session, dataset: Dataset) -> None:
    parts = [sql.SQL("{} {}").format(sql.Identifier(column.name), sql.SQL(column.type)) for column in dataset.columns]
    names = {"table": dataset.name, "columns": list(dataset.column_names)}
    for name, expression in session.execute(CHECKS, names).fetchall():
        constraint = sql.SQL("CONSTRAINT {} CHECK ({})")
        parts.append(constraint.format(sql.Identifier(str(name)), sql.SQL(cast("LiteralString", expression))))
    session.execute(sql.SQL("CREATE TEMPORARY TABLE stage ({}) ON COMMIT DROP").format(sql.SQL(", ").join(parts)))


def _copy_table(
    session: Session, dataset: Dataset, statement: sql.Composed, table: pa.Table, file: str | None
) -> Iterator[Rejected]:
    """Copy validated rows, and yield those that the database refuses: the batch is bisected to find them."""
    if not table.num_rows:
        return
    content = pa.BufferOutputStream()
    arrow_csv.write_csv(
        _without_zone(table.select(dataset.column_names)),
        content,
        arrow_csv.WriteOptions(include_header=False, batch_size=BATCH),
    )
    try:
        with (
            session.transaction(),
            session.cursor().copy(statement + sql.SQL(" WITH (FORMAT csv)")) as copy,
        ):
            copy.write(memoryview(content.getvalue()))
    except REFUSED as error:
        if table.num_rows > 1:
            middle = table.num_rows // 2
            for half in (table.slice(0, middle), table.slice(middle)):
                yield from _copy_table(session, dataset, statement, half, file)
            return
        [row] = table.to_pylist()
        shown = {name: HIDDEN if name in dataset.personal else value for name, value in row.items() if name != LINE}
        yield Rejected.of(
            ({} if file is None else {"file": file}) | shown | {"line": row[LINE]},
            Violation("", f"the warehouse refuses the row ({refusal(error, dataset)})"),
            group=dataset.group(row),
        )


def _without_zone(table: pa.Table) -> pa.Table:
    """Return the times without their zone, UTC: Arrow writes them twenty times as fast."""
    fields = [field.with_type(LOCAL_TIME) if pa.types.is_timestamp(field.type) else field for field in table.schema]
    return table.cast(pa.schema(fields))


def _copy_rows(
    session: Session,
    dataset: Dataset,
    partition: str,
    statement: sql.Composed,
    rows: Iterator[Row | Rejected],
    rejected: RejectedRows,
) -> int:
    names, declared, received = dataset.column_names, set(dataset.column_names), 0
    try:
        with session.cursor().copy(statement) as copy:
            for received, row in enumerate(rows, start=1):
                if isinstance(row, Rejected):
                    rejected.add([row])
                elif row.keys() != declared:
                    raise LoadError(_columns_message(dataset, partition, received, row))
                elif name := _unstorable(row):
                    shown = {name: HIDDEN if name in dataset.personal else value for name, value in row.items()}
                    rejected.add([Rejected.of(shown, Violation(name, UNSTORABLE), group=dataset.group(row))])
                else:
                    copy.write_row([row[name] for name in names])
    except REFUSED as error:
        place = error.diag.context or ""
        if dataset.personal:
            place = place.partition(": ")[0]
        rule = f"each value matches its column's type and constraints ({refusal(error, dataset)})"
        cause = None if dataset.personal else error
        raise AuditError(dataset.name, partition, (BrokenRule(rule, 1, (place,)),)) from cause
    return received


def refusal(error: psycopg.Error, dataset: Dataset) -> str:
    """Return why PostgreSQL refuses a row, without personal data: its message may quote a value."""
    if error.diag.constraint_name:
        return f"constraint {error.diag.constraint_name}"
    return type(error).__name__ if dataset.personal else str(error.diag.message_primary or error)


def _mappings(rows: Rows) -> Iterator[Row | Rejected | Judged]:
    if not isinstance(rows, pd.DataFrame):
        yield from rows
        return
    names = [str(name) for name in rows.columns]
    missing_as_none = rows.astype(object).where(rows.notna(), None)
    for values in missing_as_none.itertuples(index=False, name=None):
        yield dict(zip(names, values, strict=True))


def _unstorable(row: Row) -> str | None:
    for name, value in row.items():
        if isinstance(value, str) and not is_storable(value):
            return name
    return None


def _columns_message(dataset: Dataset, partition: str, number: int, row: Row) -> str:
    missing = sorted(set(dataset.column_names) - row.keys())
    extra = sorted(row.keys() - set(dataset.column_names))
    return (
        f"{dataset.name}, partition {partition}: row {number}: missing columns: {missing}; undeclared"
        f" columns: {extra}; each row must have exactly {list(dataset.column_names)}"
    )
