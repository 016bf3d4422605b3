"""Compares staged rows with the published ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

from include.core.warehouse.dataset import HIDDEN
from include.core.warehouse.digest import in_partition
from include.core.warehouse.preview.model import MOST_SAMPLES, ChangedRow, Changes, Examples, Row
from include.core.warehouse.storable import storable_text

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Column, Dataset

LONGEST = 1_000  # characters of a value that is shown


class Comparison(NamedTuple):
    """The rows that a load would change; see :class:`~include.core.warehouse.preview.model.LoadPreview`."""

    changes: Changes
    columns: dict[str, int]
    examples: Examples
    sample: list[Row]


def compare(session: Session, dataset: Dataset, label: str, *, removes: bool) -> Comparison:
    """Compare the rows in ``stage`` with a partition's published rows.

    Args:
        session: session with an open transaction.
        dataset: dataset that is staged; its table may lack columns, or be missing.
        label: the partition, as text.
        removes: whether the load would remove the partition's rows that aren't staged.
    """
    session.execute("SET LOCAL TimeZone = 'UTC'")
    key = [sql.Identifier(name) for name in dataset.key]
    pairs = sql.SQL("FROM stage AS new FULL JOIN ({}) AS old USING ({})").format(
        _published(session, dataset, label), sql.SQL(", ").join(key)
    )
    is_new, is_gone = (sql.SQL("{}.{} IS NULL").format(sql.Identifier(side), key[0]) for side in ("old", "new"))
    both = sql.SQL("NOT ({} OR {})").format(is_new, is_gone)
    others = [column for column in dataset.columns if column.name not in dataset.key]
    differences = [sql.SQL("new.{0} IS DISTINCT FROM old.{0}").format(sql.Identifier(column.name)) for column in others]
    differs = sql.SQL("({})").format(sql.SQL(" OR ").join([sql.SQL("false"), *differences]))
    is_changed = sql.SQL("{} AND {}").format(both, differs)
    conditions = [is_new, is_changed, is_gone, *(sql.SQL("{} AND {}").format(both, item) for item in differences)]
    counts = sql.SQL(", ").join(sql.SQL("count(*) FILTER (WHERE {})").format(item) for item in conditions)
    [row] = session.execute(sql.SQL("SELECT {} {}").format(counts, pairs))
    added, changed, removed, *by_column = (int(str(number)) for number in row)
    if not removes:
        removed = 0

    order = sql.SQL("ORDER BY {}").format(sql.SQL(", ").join(key))

    def rows(source: sql.Composable, sides: tuple[str, ...], count: int) -> list[list[Row]]:
        return _rows(session, dataset, source, sides, order) if count else []

    where = sql.SQL("{} WHERE {}").format
    examples = Examples(
        added=[new for [new] in rows(where(pairs, is_new), ("new",), added)],
        changed=[ChangedRow(old=old, new=new) for old, new in rows(where(pairs, is_changed), ("old", "new"), changed)],
        removed=[old for [old] in rows(where(pairs, is_gone), ("old",), removed)],
    )
    return Comparison(
        Changes(added=added, changed=changed, removed=removed),
        {column.name: number for column, number in zip(others, by_column, strict=True) if number},
        examples,
        [new for [new] in _rows(session, dataset, sql.SQL("FROM stage AS new"), ("new",), sql.SQL(""))],
    )


def _published(session: Session, dataset: Dataset, label: str) -> sql.Composed:
    """Return a query of the partition's published rows, in which a missing column is NULL."""
    existing = {
        name
        for (name,) in session.execute(
            "SELECT attname FROM pg_attribute"
            " WHERE attrelid = to_regclass(quote_ident(%s)) AND attnum > 0 AND NOT attisdropped",
            [dataset.name],
        )
    }
    columns = [
        sql.Identifier(column.name)
        if column.name in existing
        else sql.SQL("NULL::{} AS {}").format(sql.SQL(column.type), sql.Identifier(column.name))
        for column in dataset.columns
    ]
    query = sql.SQL("SELECT {}").format(sql.SQL(", ").join(columns))
    if not existing:
        return query + sql.SQL(" WHERE false")
    return query + sql.SQL(" FROM {} WHERE {}").format(sql.Identifier(dataset.name), in_partition(dataset, label))


def _rows(
    session: Session, dataset: Dataset, source: sql.Composable, sides: tuple[str, ...], order: sql.Composable
) -> list[list[Row]]:
    values = [_text(side, column) for side in sides for column in dataset.columns]
    query = sql.SQL("SELECT {} {} {} LIMIT {}").format(sql.SQL(", ").join(values), source, order, MOST_SAMPLES)
    names, width = dataset.column_names, len(dataset.columns)
    return [
        [
            {
                name: None if value is None else shortened(str(value))
                for name, value in zip(names, row[start : start + width], strict=True)
            }
            for start in range(0, len(row), width)
        ]
        for row in session.execute(query)
    ]


def shortened(text: str) -> str:
    """Return the text that is shown of a value: cut, and without lone surrogates, which JSON can't hold as UTF-8."""
    return storable_text(text if len(text) <= LONGEST else text[:LONGEST] + "…")


def _text(side: str, column: Column) -> sql.Composed:
    """Return an expression of the column's text; JSON has exact numbers and ISO times."""
    value = sql.SQL("{}.{}").format(sql.Identifier(side), sql.Identifier(column.name))
    if column.pii:
        return sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(value, sql.Literal(HIDDEN))
    return sql.SQL("left(to_jsonb({}) #>> '{{}}', {})").format(value, LONGEST + 1)
