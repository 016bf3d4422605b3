"""Reads the rows of a CSV file for a dataset, in batches.

Most blocks of a file have a row in each line, and quotes only around whole fields: Arrow reads them. Python's ``csv``
reads the others, a few times slower, and names the line of what isn't valid. Where Arrow reads a block, both return the
same.
"""

from __future__ import annotations

import csv
import io
import re
import zlib
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv

from include.core.csv_files.dialect import SAMPLE_LINES, CsvError, Dialect, detect
from include.core.csv_files.fetch import as_text, head
from include.core.warehouse.dataset import HIDDEN, Rejected, Violation
from include.core.warehouse.json_row import JsonRow, json_texts
from include.core.warehouse.validation.batch import Batch, Number
from include.core.warehouse.validation.expressions import NUMBER

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from typing import BinaryIO

    from include.core.warehouse.dataset import Dataset

LONGEST_FIELD = 1024 * 1024
LONGEST_ROW = 8 * LONGEST_FIELD
BLOCK = 2 * LONGEST_FIELD
IS_NUMBER = re.compile(NUMBER)
QUOTE, LINE_FEED, RETURN = b'"\n\r'


class CsvReader:
    """The rows of a CSV file, from the start each time.

    Args:
        file: the file's bytes, plain or gzip; seekable.
        dataset: dataset whose columns are read; other columns of the file are ignored.
        given: columns whose value isn't in the file.
        rename: header in the file, by column; by default the column's name.
        delimiter: ``None`` to detect it.
        encoding: text encoding.
    """

    def __init__(
        self,
        file: BinaryIO,
        dataset: Dataset,
        *,
        given: Collection[str] = (),
        rename: Mapping[str, str] | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8-sig",
    ) -> None:
        self.file, self.delimiter, self.encoding = file, delimiter, encoding
        self.personal = dataset.personal
        wanted = [name for name in dataset.column_names if name not in given]
        self.headings = {name: (rename or {}).get(name, name) for name in wanted}

    def __iter__(self) -> Iterator[Batch]:
        """Yield the rows in batches of a few megabytes.

        Raises:
            CsvError: if the header lacks a column, or the file can't be decoded or isn't valid CSV.
        """
        csv.field_size_limit(LONGEST_FIELD)
        self.file.seek(0)
        text = as_text(self.file, self.encoding)
        lines = _Lines(text)
        try:
            sample = head(text, SAMPLE_LINES)
            if "\0" in sample[0]:
                raise CsvError(
                    f"the header has NUL characters as {self.encoding}: it looks like UTF-16; specify its encoding"
                )
            dialect = Dialect(self.delimiter) if self.delimiter else detect(sample)
            header = next(csv.reader(lines, delimiter=dialect.delimiter, strict=True), [])
            table = _Table(header, dialect.delimiter, self.headings, self.personal)
            while block := lines.block():
                yield table.read(block, lines)
        except (csv.Error, UnicodeError, EOFError, OSError, zlib.error) as error:
            raise CsvError(
                f"line {lines.row}: the file can't be read further: {error}; nothing was loaded", lines.row
            ) from error
        finally:
            text.detach()


class _Lines:
    """The physical lines of a text.

    Attributes:
        number: how many lines were read.
        row: line at which the current row starts.
    """

    def __init__(self, text: io.TextIOWrapper) -> None:
        self.text, self.buffer = text, io.StringIO()
        self.number, self.row, self.left, self.size = 0, 1, 0, 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self.buffer.readline() or self.text.readline(LONGEST_ROW)
        if not line:
            raise StopIteration
        self.number += 1
        self.left -= len(line)
        self.size += len(line)
        self._check(self.size)
        return line

    def block(self) -> str:
        """Return the next lines, a few megabytes; a row may continue after them."""
        self.row = self.number + 1
        block = self.text.read(BLOCK)
        rest = self.text.readline(LONGEST_ROW) if block else ""
        self._check(len(rest))
        return block + rest

    def rows(self, block: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that start in a block, each with its line; blank lines are skipped."""
        self.buffer, self.left = io.StringIO(block, newline=""), len(block)
        reader = csv.reader(self, delimiter=delimiter, strict=True)
        while self.left > 0:
            self.row, self.size = self.number + 1, 0
            cells = next(reader, None)
            if cells:
                yield self.row, cells

    def _check(self, size: int) -> None:
        if size >= LONGEST_ROW:
            raise CsvError(
                f"line {self.row}: the row is longer than {LONGEST_ROW} characters; nothing was loaded", self.row
            )


class _Table:
    """The columns of a file that a dataset needs.

    Args:
        header: the file's header.
        delimiter: the field delimiter.
        headings: header in the file, by column.
        personal: columns that hold personal data.

    Raises:
        CsvError: if the header lacks a column, or has it twice.
    """

    def __init__(
        self, header: Sequence[str], delimiter: str, headings: Mapping[str, str], personal: Collection[str]
    ) -> None:
        self.header, self.delimiter, self.personal = header, delimiter, personal
        self.positions = {column: _position(header, heading) for column, heading in headings.items()}
        names = [str(position) for position in range(len(header))]
        needed = [names[position] for position in self.positions.values()]
        self.names = names
        self.parse_options = arrow_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
        self.convert_options = arrow_csv.ConvertOptions(
            include_columns=needed,
            column_types=dict.fromkeys(needed, pa.string()),
            strings_can_be_null=False,
            check_utf8=False,
        )

    def read(self, block: str, lines: _Lines) -> Batch:
        """Return the rows that start in a block."""
        cells = self._fast(block)
        if cells is not None:
            first, count = lines.number + 1, len(next(iter(cells.values())))
            lines.number += count
            return self._batch(pa.array(np.arange(first, first + count)), cells, [])
        rows, numbers, malformed = [], [], []
        width = len(self.header)
        for line, row in lines.rows(block, self.delimiter):
            if len(row) == width:
                rows.append(row)
                numbers.append(line)
            else:
                shown = {"line": line, "cells": HIDDEN if self.personal else row}
                malformed.append(Rejected.of(shown, Violation("", f"has {len(row)} fields, the header {width}")))
        cells = {
            column: pa.array([row[position] for row in rows], pa.string())
            for column, position in self.positions.items()
        }
        return self._batch(pa.array(numbers, pa.int64()), cells, malformed)

    def _fast(self, block: str) -> dict[str, pa.Array[Any]] | None:
        """Return the cells of a block that has a row in each line, or ``None`` if it isn't sure that it has."""
        content = block.encode()
        if not self._is_simple(content):
            return None
        try:
            table = arrow_csv.read_csv(
                io.BytesIO(content),
                arrow_csv.ReadOptions(column_names=self.names, use_threads=False, block_size=len(content) + 1),
                self.parse_options,
                self.convert_options,
            )
        except pa.ArrowInvalid:
            return None
        lines = content.count(b"\n") + (not content.endswith(b"\n"))
        columns = [column.combine_chunks() for column in table.columns]
        if table.num_rows != lines or any(_longest(cells) > LONGEST_FIELD for cells in columns):
            return None
        return dict(zip(self.positions, columns, strict=True))

    def _is_simple(self, content: bytes) -> bool:
        """Return whether all line ends are equal, and each quote starts or ends a whole field."""
        characters = np.frombuffer(b"\n" + content + b"\n", np.uint8)
        if b"\r" in content:  # the search is many times faster than counting
            returns, line_feeds = content.count(b"\r"), content.count(b"\n")
            if returns != line_feeds or returns != content.count(b"\r\n"):
                return False
        quotes = np.flatnonzero(characters == QUOTE)
        delimiter = ord(self.delimiter)
        before, after = characters[quotes[::2] - 1], characters[quotes[1::2] + 1]
        return (
            len(before) == len(after)
            and bool(np.isin(before, (delimiter, LINE_FEED)).all())
            and bool(np.isin(after, (delimiter, LINE_FEED, RETURN)).all())
        )

    def _batch(self, lines: pa.Array[Any], cells: Mapping[str, pa.Array[Any]], malformed: Sequence[Rejected]) -> Batch:
        def texts(places: pa.Array[Any]) -> pa.Array[Any]:
            shown = {
                self.header[self.positions[column]]: values.take(places)
                for column, values in cells.items()
                if column not in self.personal
            }
            hidden = {heading: HIDDEN for heading in self.header if heading not in shown}
            return json_texts(hidden, shown | {"line": lines.take(places)})

        def show(positions: Sequence[int]) -> Iterator[JsonRow]:
            rows: Any = texts(pa.array(positions, pa.int64())).to_pylist()
            return map(JsonRow, rows)

        def received(column: str, positions: Sequence[int]) -> Iterator[str]:
            texts: Any = cells[column].take(pa.array(positions, pa.int64())).to_pylist()
            return (Number(text) if IS_NUMBER.fullmatch(text) else text for text in texts)

        return Batch(lines, cells, show, received, malformed=malformed, texts=texts)


def _longest(cells: Any) -> int:
    """Return the number of bytes of the longest cell."""
    length: int = pc.max(pc.binary_length(cells)).as_py()
    return length


def _position(header: Sequence[str], name: str) -> int:
    names = [cell.strip() for cell in header]
    if names.count(name) != 1:
        columns = ", ".join(repr(name)[1:-1] for name in names)
        raise CsvError(
            f"the header has {names.count(name)} columns {name!r}; it must have one. Columns: {columns[:300]}",
            line=1,
        )
    return names.index(name)
