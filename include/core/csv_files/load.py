"""Loads a CSV file under the contract of :mod:`include.core.warehouse`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.csv_files.reader import CsvReader
from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load
from include.core.warehouse.validation.validate import validated

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Mapping
    from typing import BinaryIO

    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.dataset import Dataset
    from include.core.warehouse.loader import LoadResult


def load_csv(
    file: BinaryIO,
    dataset: Dataset,
    uri: str,
    attempt: Attempt,
    *,
    partition: str | None = None,
    rename: Mapping[str, str] | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8-sig",
    nulls: Collection[str] = ("",),
    line_column: str | None = None,
    max_bad_share: float = 0.0,
    name: str | None = None,
    replayed_from: dt.date | None = None,
    requested_at: dt.datetime | None = None,
) -> LoadResult:
    """Publish the valid rows of a file, and quarantine the others, in constant memory.

    Args:
        file: the file's bytes, plain or gzip.
        dataset: dataset to load; its table is created if it is missing.
        uri: the warehouse.
        attempt: task attempt.
        partition: value of the partition column, if the dataset has one.
        rename: header in the file, by column.
        delimiter: ``None`` to detect it.
        encoding: text encoding.
        nulls: texts that mean NULL.
        line_column: column for the line number of the row in the file.
        max_bad_share: maximum share of rejected rows.
        name: of the file, for quarantine.
        replayed_from: the recorded day that the file replays, if it is sample data.
        requested_at: when the file was written or requested.

    Raises:
        CsvError: the file isn't a table with the dataset's columns.
        LoadError: nothing was written; the message says why.
    """
    given = {name for name in (dataset.partition, line_column) if name is not None}
    reader = CsvReader(file, dataset, given=given, rename=rename, delimiter=delimiter, encoding=encoding)
    with connect(uri, attempt, statement_timeout=3600) as session:
        return load(
            session,
            dataset,
            partition=partition,
            rows=validated(reader, dataset, partition, nulls=nulls, line_column=line_column, file=name),
            attempt=attempt,
            tolerance=max_bad_share,
            strict=True,
            replayed_from=replayed_from,
            requested_at=requested_at,
        )
