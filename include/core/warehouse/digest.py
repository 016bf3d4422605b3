"""A digest of a table's rows, to compare tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Column, Dataset, Partition


def table_digest(session: Session, dataset: Dataset, partition: Partition = None) -> str:
    """Return the SHA-256 (hex) of the published rows, independent of their order and the session's settings.

    Lineage columns are excluded: loading the same rows again doesn't change the digest.

    Args:
        session: session on the warehouse.
        dataset: dataset whose table is read.
        partition: only the rows of this partition; ``None`` for the whole table.
    """
    where = sql.Composed([sql.SQL("true")])
    if partition is not None and dataset.partition is not None:
        label = dataset.partition_label(partition)
        where = sql.SQL("{} = {}").format(sql.Identifier(dataset.partition), sql.Literal(label))
    query = sql.SQL(
        "SELECT encode(sha256(coalesce(string_agg(line, '' ORDER BY line), '')), 'hex') FROM ("
        "SELECT sha256(convert_to(jsonb_build_array({})::text, 'UTF8')) AS line FROM {} WHERE {}) AS lines"
    ).format(sql.SQL(", ").join(map(_canonical, dataset.columns)), sql.Identifier(dataset.name), where)
    [digest] = session.execute(query).fetchone() or [""]
    return str(digest)


def _canonical(column: Column) -> sql.Composed:
    """Return an expression whose JSON form doesn't depend on the session's time zone."""
    name = sql.Identifier(column.name)
    return sql.SQL("extract(epoch FROM {})" if column.type == "timestamp with time zone" else "{}").format(name)
