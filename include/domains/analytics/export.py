"""Exports the marts as Parquet files, for readers without access to the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from psycopg import sql

from include.core import storage
from include.core.warehouse.connect import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.storage import File
    from include.core.warehouse.connect import Session

BATCH = 50_000  # rows
TYPES: dict[str, pa.DataType] = {
    "bool": pa.bool_(),
    "int4": pa.int32(),
    "int8": pa.int64(),
    "float8": pa.float64(),
    "numeric": pa.decimal128(38, 10),
    "date": pa.date32(),
    "timestamptz": pa.timestamp("us", "UTC"),
    "text": pa.string(),
}


def export(warehouse_uri: str, schema: str, names: Sequence[str], folder: File) -> dict[str, int]:
    """Write ``<name>.parquet`` into ``folder`` for each mart, from one snapshot; return the number of rows of each.

    Files are replaced atomically. Rows are sorted by all columns, so that equal marts give equal files.

    Raises:
        psycopg.errors.UndefinedTable: if a mart hasn't been built.
        TypeError: if a column has a type that isn't in :data:`TYPES`.
    """
    with connect(warehouse_uri) as session, session.transaction():
        session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        return {name: _export(session, schema, name, folder / f"{name}.parquet") for name in names}


def _export(session: Session, schema: str, name: str, path: File) -> int:
    table = sql.Identifier(schema, name)
    fields = _fields(session, schema, name)
    order = sql.SQL(", ").join(sql.Literal(position + 1) for position in range(len(fields)))
    count = 0
    with (
        storage.writing(path) as file,
        pq.ParquetWriter(file, fields) as writer,
        session.cursor(f"export_{name}") as cursor,
    ):
        cursor.itersize = BATCH
        cursor.execute(sql.SQL("SELECT * FROM {} ORDER BY {}").format(table, order))
        while rows := cursor.fetchmany(BATCH):
            columns = zip(*rows, strict=True)
            arrays = [pa.array(column, field.type) for column, field in zip(columns, fields, strict=True)]
            writer.write_batch(pa.record_batch(arrays, schema=fields))
            count += len(rows)
    return count


def _fields(session: Session, schema: str, name: str) -> pa.Schema:
    description = session.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(schema, name))).description
    fields: list[tuple[str, pa.DataType]] = []
    for column in description or ():
        kind = str(column.type_display).partition("(")[0]
        if kind not in TYPES:
            raise TypeError(
                f"mart {name}: column {column.name} has type {kind}; cast it in the model to one of {', '.join(TYPES)}"
            )
        fields.append((column.name, TYPES[kind]))
    return pa.schema(fields)
