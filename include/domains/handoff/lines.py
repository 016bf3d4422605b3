"""Writes, reads and aggregates order lines in batches, so that memory use is constant."""

from __future__ import annotations

import csv
import logging
from decimal import Decimal
from itertools import chain, repeat
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from include.core.errors import PermanentError
from include.core.storage import modified_at, writing
from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load as load_partition
from include.domains.handoff.datasets import STOCK_TOTALS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult

log = logging.getLogger(__name__)

BATCH = 50_000
RETAIL = Path(__file__).parents[2] / "data" / "retail"
PENCE = Decimal(100)
FIELDS: dict[str, pa.DataType] = {
    "number": pa.int64(),
    "stock_code": pa.string(),
    "quantity": pa.int64(),
    "pence": pa.int64(),
}
LINES = pa.schema(FIELDS)
AMOUNTS = LINES.append(pa.field("amount_pence", pa.int64()))


class FileGoneError(PermanentError, FileNotFoundError):
    """A file of the run was removed."""


def extract(folder: File, rows: int) -> str:
    """Write ``rows`` order lines, repeating the recorded ones, to a file in ``folder``; return its URL."""
    target = folder / "lines.parquet"
    source = chain.from_iterable(repeat(list(_recorded())))
    with writing(target) as file, pq.ParquetWriter(file, LINES) as writer:
        for begin in range(0, rows, BATCH):
            numbers = range(begin, min(begin + BATCH, rows))
            batch = [dict(zip(LINES.names, (number, *next(source)), strict=True)) for number in numbers]
            writer.write_table(pa.Table.from_pylist(batch, LINES))
    return str(target)


def transform(lines: File) -> str:
    """Add the amounts to the lines, write them to a file beside ``lines``, and return its URL.

    Raises:
        FileGoneError: ``lines`` was removed.
    """
    _require(lines)
    target = lines.with_name("amounts.parquet")
    with lines.open("rb") as source, writing(target) as file, pq.ParquetWriter(file, AMOUNTS) as writer:
        for batch in pq.ParquetFile(source).iter_batches(BATCH):
            amounts = pc.multiply(batch.column("quantity"), batch.column("pence"))
            writer.write_table(pa.Table.from_batches([batch]).append_column("amount_pence", amounts))
    return str(target)


def load(amounts: File, uri: str, attempt: Attempt) -> LoadResult:
    """Aggregate the lines by stock code and publish the totals as ``stock_totals``.

    Raises:
        FileGoneError: ``amounts`` was removed.
        LoadError: the totals violate the contract, or a newer attempt has loaded; nothing was written.
    """
    _require(amounts)
    totals: pa.Table | None = None
    with amounts.open("rb") as source:
        for batch in pq.ParquetFile(source).iter_batches(BATCH):
            table = pa.Table.from_batches([batch]).select(["stock_code", "quantity", "amount_pence"])
            table = table.append_column("lines", pa.array([1] * table.num_rows, pa.int64()))
            totals = _sum(table if totals is None else pa.concat_tables([totals, table.select(totals.column_names)]))
    rows = totals.to_pylist() if totals is not None else []
    with connect(uri, attempt) as session:
        result = load_partition(
            session, STOCK_TOTALS, partition=None, rows=rows, attempt=attempt, requested_at=modified_at(amounts)
        )
    log.info("stock_totals: %d lines, %d stock codes", sum(row["lines"] for row in rows), result.loaded)
    return result.require_complete()


def _require(file: File) -> None:
    if not file.exists():
        raise FileGoneError(
            f"{file} doesn't exist: clean_up or maintenance has removed the run's files. Clear the task extract with"
            " its downstream tasks."
        )


def _sum(table: pa.Table) -> pa.Table:
    names = ["lines", "quantity", "amount_pence"]
    grouped = table.group_by("stock_code").aggregate([(name, "sum") for name in names])
    return grouped.rename_columns([name.removesuffix("_sum") for name in grouped.column_names])


def _recorded() -> Iterator[tuple[str, int, int]]:
    """Yield stock code, quantity and unit price (in pence, rounded) of the recorded order lines."""
    for path in sorted(RETAIL.glob("online_retail_*.csv")):
        with path.open(encoding="utf-8", newline="") as lines:
            for row in csv.DictReader(lines):
                yield row["StockCode"], int(row["Quantity"]), round(Decimal(row["UnitPrice"]) * PENCE)
