"""Copies rows to the stage, a temporary table in which they are audited."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd
import psycopg
from psycopg import sql

from include.core.warehouse.dataset import HIDDEN, Dataset, Rejected
from include.core.warehouse.errors import AuditError, LoadError, Violation
from include.core.warehouse.storable import UNSTORABLE, is_storable

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

Row: TypeAlias = Mapping[str, object]
Rows: TypeAlias = Iterable[Row | Rejected] | pd.DataFrame
MOST_REJECTED = 100_000  # they are kept in memory until the stage is audited


def copy_rows(session: Session, dataset: Dataset, partition: str, rows: Rows) -> tuple[int, list[Rejected]]:
    """Copy ``rows`` to the temporary table ``stage``, which is dropped at the end of the transaction.

    Returns:
        The number of rows received, and the rejected ones among them: those passed as rejected, and those that
        PostgreSQL can't store (a NUL character, a lone surrogate).

    Raises:
        AuditError: if a value doesn't match its column's type.
        LoadError: if a row lacks a column or has an undeclared one, or 100,000 rows are rejected.
    """
    names, declared = dataset.column_names, set(dataset.column_names)
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    session.execute(
        sql.SQL("CREATE TEMPORARY TABLE stage ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
            columns, sql.Identifier(dataset.name)
        )
    )
    received = 0
    rejected: list[Rejected] = []
    try:
        with session.cursor().copy(sql.SQL("COPY stage ({}) FROM STDIN").format(columns)) as copy:
            for received, row in enumerate(_mappings(rows), start=1):
                if len(rejected) >= MOST_REJECTED:
                    raise LoadError(_rejection_message(dataset, partition, received, rejected))
                if isinstance(row, Rejected):
                    rejected.append(row)
                elif row.keys() != declared:
                    raise LoadError(_columns_message(dataset, partition, received, row))
                elif reason := _unstorable(row):
                    shown = {name: HIDDEN if name in dataset.personal else value for name, value in row.items()}
                    rejected.append(Rejected(shown, reason, dataset.group(row)))
                else:
                    copy.write_row([row[name] for name in names])
    except psycopg.DataError as error:
        message, place = str(error.diag.message_primary or error), error.diag.context or ""
        if dataset.personal:  # PostgreSQL quotes the value
            message, place = type(error).__name__, place.partition(": ")[0]
        rule = f"each value matches its column's type ({message})"
        cause = None if dataset.personal else error
        raise AuditError(dataset.name, partition, (Violation(rule, 1, (place,)),)) from cause
    session.execute("ANALYZE stage")  # the planner assumes a small table otherwise
    return received, rejected


def _mappings(rows: Rows) -> Iterator[Row | Rejected]:
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
            return f"{name}: {UNSTORABLE}"
    return None


def _rejection_message(dataset: Dataset, partition: str, number: int, rejected: list[Rejected]) -> str:
    return (
        f"{dataset.name}, partition {partition}: {len(rejected)} of the first {number} rows are invalid, nothing"
        f" was written. First reason: {rejected[0].reason}"
    )


def _columns_message(dataset: Dataset, partition: str, number: int, row: Row) -> str:
    missing = sorted(set(dataset.column_names) - row.keys())
    extra = sorted(row.keys() - set(dataset.column_names))
    return (
        f"{dataset.name}, partition {partition}: row {number}: missing columns: {missing}; undeclared"
        f" columns: {extra}; each row must have exactly {list(dataset.column_names)}"
    )
