"""A digest of a table's rows, to compare tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from psycopg import sql

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset, Partition

BITS = 64
ALL, EQUAL = sql.SQL("true"), sql.SQL("{} = {}")


class Content(NamedTuple):
    """The number of some rows, and their digest."""

    rows: int
    digest: str

    @classmethod
    def of(cls, rows: object, total: object) -> Content:
        """Return the content that :func:`aggregates` found."""
        return cls(int(str(rows)), f"{rows}-{int(str(total)) % 2**BITS:0{BITS // 4}x}")


def table_digest(session: Session, dataset: Dataset, partition: Partition = None) -> str:
    """Return the digest of the published rows, see :func:`content`.

    Args:
        session: session on the warehouse.
        dataset: dataset whose table is read.
        partition: only the rows of this partition; ``None`` for the whole table.
    """
    label = None if partition is None else dataset.partition_label(partition)
    return content(session, dataset, dataset.name, in_partition(dataset, label)).digest


def in_partition(dataset: Dataset, label: str | None) -> sql.Composable:
    """Return the condition of a partition's rows that a load is about; of any partition's without a label or column."""
    conditions: list[sql.Composable] = [ALL]
    if label is not None and dataset.partition is not None:
        conditions.append(EQUAL.format(sql.Identifier(dataset.partition), sql.Literal(label)))
    if dataset.only is not None:
        conditions.append(EQUAL.format(sql.Identifier(dataset.only[0]), sql.Literal(dataset.only[1])))
    return sql.SQL(" AND ").join(conditions)


def content(session: Session, dataset: Dataset, table: str, condition: sql.Composable = ALL) -> Content:
    """Count rows, and compute their digest: their number and, in hex, the sum of a 64-bit hash of each.

    It depends on neither the order of the rows nor the session's time zone or formats, and leaves out the lineage
    columns: loading the same rows again doesn't change it. It finds differences that happen, not those that someone who
    controls the rows constructs. PostgreSQL computes it in one scan, of a large table in parallel.

    Args:
        session: session on the warehouse.
        dataset: dataset whose columns are read.
        table: a table with these columns.
        condition: which rows are read.
    """
    query = sql.SQL("SELECT {} FROM {} WHERE {}").format(aggregates(dataset), sql.Identifier(table), condition)
    return Content.of(*session.execute(query).fetchone() or (0, 0))


def aggregates(dataset: Dataset) -> sql.Composed:
    """Return the two aggregates of which :meth:`Content.of` makes the content of the rows that are read."""
    # record_send gives all values of the row; hashing the row itself would add up the hashes of its columns, which
    # stay the same when two rows swap values, and leave out the signs of numerics.
    return sql.SQL("count(*), coalesce(sum(hash_record_extended(ROW(record_send(ROW({}))), 0)), 0)").format(
        sql.SQL(", ").join(map(sql.Identifier, dataset.column_names))
    )
