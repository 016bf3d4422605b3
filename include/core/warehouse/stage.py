"""The stage: a temporary table that rows are copied to before they are looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, TypeAlias

import pandas as pd
import psycopg
from psycopg import sql

from include.core.warehouse.dataset import Dataset, Rejected
from include.core.warehouse.errors import AuditError, LoadError, Violation

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

Row: TypeAlias = Mapping[str, object]
Rows: TypeAlias = Iterable[Row | Rejected] | pd.DataFrame
MOST_REJECTED = 100_000  # they are kept in memory until the stage is audited


def copy_rows(session: Session, dataset: Dataset, partition: str, rows: Rows) -> tuple[int, list[Rejected]]:
    """Copy ``rows`` to the temporary table ``stage``, which lives as long as the transaction.

    Returns:
        How many rows came, and those of them that are rejected: given as such, or because PostgreSQL can't hold them
        (a NUL character, half a surrogate pair).

    Raises:
        AuditError: if a value doesn't fit its column's type.
        LoadError: if a row lacks a column or has one that isn't declared, or 100,000 rows are rejected.
    """
    names, declared = dataset.column_names, set(dataset.column_names)
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    session.execute(
        sql.SQL("CREATE TEMPORARY TABLE stage ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA").format(
            columns, sql.Identifier(dataset.name)
        )
    )
    came = 0
    rejected: list[Rejected] = []
    try:
        with session.cursor().copy(sql.SQL("COPY stage ({}) FROM STDIN").format(columns)) as copy:
            for came, row in enumerate(_mappings(rows), start=1):
                if len(rejected) >= MOST_REJECTED:
                    raise LoadError(_too_many(dataset, partition, came, rejected))
                if isinstance(row, Rejected):
                    rejected.append(row)
                elif row.keys() != declared:
                    raise LoadError(_differing_columns(dataset, partition, came, row))
                elif reason := _unstorable(row):
                    rejected.append(Rejected(row, reason))
                else:
                    copy.write_row([row[name] for name in names])
    except psycopg.DataError as error:
        rule = f"each value fits its column's type ({error.diag.message_primary or error})"
        raise AuditError(dataset.name, partition, (Violation(rule, 1, (error.diag.context or "",)),)) from error
    session.execute("ANALYZE stage")  # or the planner takes it for a small one
    return came, rejected


def storable_text(text: str) -> str:
    """Return ``text`` with what PostgreSQL can't hold written as an escape."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", r"\x00")


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
        if isinstance(value, str) and ("\0" in value or not (value.isascii() or storable_text(value) == value)):
            return f"{name}: the text holds a NUL character or half a surrogate pair, which PostgreSQL can't store"
    return None


def _too_many(dataset: Dataset, partition: str, number: int, rejected: list[Rejected]) -> str:
    return (
        f"{dataset.name}, partition {partition}: {len(rejected)} of the first {number} rows are bad, nothing was"
        f" written. The first: {rejected[0].reason}"
    )


def _differing_columns(dataset: Dataset, partition: str, number: int, row: Row) -> str:
    lacking = sorted(set(dataset.column_names) - row.keys())
    extra = sorted(row.keys() - set(dataset.column_names))
    return (
        f"{dataset.name}, partition {partition}: row {number} lacks the columns {lacking} and has {extra} beyond those"
        f" declared; give each row exactly {list(dataset.column_names)}"
    )
