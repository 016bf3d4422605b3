"""Reads the rows of a file of any format for a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from include.core import exact_json
from include.core.csv_files.reader import CsvReader
from include.core.errors import UnreadableError
from include.core.formats.json_rows import document_rows, line_rows
from include.core.formats.recognise import encoding_of, recognise
from include.core.warehouse.validation.json_lines import JsonLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from include.core.formats.contract import FileContract
    from include.core.formats.recognise import Format
    from include.core.warehouse.dataset import Dataset
    from include.core.warehouse.validation.batch import Reader

BATCH = 20_000


class FileRows(NamedTuple):
    """The rows of a file, and the texts among its values that mean NULL."""

    reader: Reader
    nulls: tuple[str, ...]


def reader_of(contract: FileContract, dataset: Dataset, content: BinaryIO, name: str) -> FileRows:
    """Return the rows of a decompressed file.

    Args:
        contract: how the file's rows become those of the dataset.
        dataset: the columns to read: the contract's dataset, or a part of it.
        content: the file; seekable.
        name: its path or URL.

    Raises:
        UnreadableError: if the format can't be recognised; while the rows are read, if the file can't be read further.
    """
    given = {column for column in (contract.line_column, dataset.partition) if column is not None}
    kind = contract.format or recognise(content, name)
    if kind == "csv":
        encoding = contract.encoding or encoding_of(content)
        rows = CsvReader(
            content,
            dataset,
            given=given,
            rename=contract.rename,
            delimiter=contract.delimiter,
            encoding=encoding,
        )
        return FileRows(rows, contract.nulls)
    fields = {column: contract.rename.get(column, column) for column in dataset.column_names if column not in given}
    return FileRows(JsonLines(_lines(kind, content), dataset, fields, name), ())


def objects(kind: Format, content: BinaryIO) -> Iterator[Any]:
    """Yield the rows of a file that isn't CSV, from the first; raises as :func:`reader_of` does."""
    rows: dict[Format, Callable[[BinaryIO], Iterable[Any]]] = {
        "json": document_rows,
        "jsonl": line_rows,
        "parquet": _parquet_rows,
    }
    content.seek(0)
    yield from rows[kind](content)


def _lines(kind: Format, content: BinaryIO) -> Callable[[], Iterable[str | bytes]]:
    """Return what returns the rows as JSON texts, each time from the first."""
    return lambda: map(exact_json.dumps, objects(kind, content))


def _parquet_rows(content: BinaryIO) -> Iterator[dict[str, Any]]:
    try:
        file = pq.ParquetFile(content)
        _refuse_bytes(file.schema_arrow)
        for batch in file.iter_batches(BATCH):
            yield from batch.to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise UnreadableError(f"the file can't be read as Parquet: {error}") from error


def _refuse_bytes(schema: pa.Schema) -> None:
    tests = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view, pa.types.is_fixed_size_binary)
    if columns := [repr(field.name) for field in schema if any(test(field.type) for test in tests)]:
        raise ValueError(f"{', '.join(columns)[:300]}: bytes; write text with the type STRING, or leave it out")
