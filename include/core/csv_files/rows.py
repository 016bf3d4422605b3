"""Rows of a CSV file as a dataset takes them: one after the other, however large the file is."""

from __future__ import annotations

import csv
import datetime as dt
import math
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from include.core.csv_files.dialect import SAMPLE_LINES, CsvError, Dialect, detect
from include.core.csv_files.fetch import as_text, head
from include.core.warehouse.dataset import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import BinaryIO

    from include.core.warehouse.dataset import Column, Dataset, Type

TRUE, FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}
SHOWN = 60
LONGEST_FIELD = 1024 * 1024
BIGINT, INTEGER = 2**63, 2**31


def rows_of(
    file: BinaryIO,
    dataset: Dataset,
    *,
    fixed: Mapping[str, object],
    rename: Mapping[str, str],
    delimiter: str | None,
    encoding: str,
    nulls: Collection[str],
    line_column: str | None = None,
) -> Iterator[dict[str, object] | Rejected]:
    """Yield each row of the file, as the dataset's columns or as one that is rejected with its line and reason.

    Args:
        file: the file's bytes, plain or gzip.
        dataset: whose columns are wanted; the file's others are passed over.
        fixed: columns whose value isn't in the file.
        rename: header in the file, by column; without it they are the same.
        delimiter: ``None`` to find out.
        encoding: of the text.
        nulls: texts that stand for a missing value.
        line_column: column that gets the number of the row's line in the file.

    Raises:
        CsvError: if the file has no header with the columns, or isn't in the encoding.
    """
    text = as_text(file, encoding)
    dialect = Dialect(delimiter) if delimiter else detect(head(text, SAMPLE_LINES))
    csv.field_size_limit(LONGEST_FIELD)
    reader = csv.reader(text, delimiter=dialect.delimiter, strict=True)
    header = next(reader, [])
    wanted = [column for column in dataset.columns if column.name not in {*fixed, line_column}]
    places = [(column, _place(header, rename.get(column.name, column.name))) for column in wanted]
    line = reader.line_num + 1
    try:
        for cells in reader:
            if cells:
                numbered = {**fixed, line_column: line} if line_column else fixed
                yield _row(cells, line, header, places, numbered, nulls)
            line = reader.line_num + 1
    except (csv.Error, UnicodeDecodeError, EOFError, OSError) as error:
        raise CsvError(f"line {line}: the file can't be read on: {error}; nothing of it is loaded") from error
    finally:
        text.detach()


def _place(header: list[str], name: str) -> int:
    names = [cell.strip() for cell in header]
    if names.count(name) != 1:
        raise CsvError(
            f"the header has {names.count(name)} columns {name!r}; it must have one. It has: {', '.join(names)[:300]}"
        )
    return names.index(name)


def _row(
    cells: list[str],
    line: int,
    header: list[str],
    places: list[tuple[Column, int]],
    fixed: Mapping[str, object],
    nulls: Collection[str],
) -> dict[str, object] | Rejected:
    if len(cells) != len(header):
        return Rejected({"line": line, "cells": cells}, f"has {len(cells)} fields, the header {len(header)}")
    row = dict(fixed)
    reasons = []
    for column, place in places:
        cell = cells[place]
        if cell in nulls:
            row[column.name] = None
            if not column.nullable:
                reasons.append(f"{column.name}: a value is missing")
            continue
        try:
            value = PARSERS[column.type](cell)
        except (ValueError, InvalidOperation):
            reasons.append(f"{column.name}: {cell[:SHOWN]!r} is no {column.type}")
            continue
        if problem := _out_of_range(value, column):
            reasons.append(f"{column.name}: {problem} (got {cell[:SHOWN]})")
        row[column.name] = value
    if reasons:
        return Rejected({"line": line, **dict(zip(header, cells, strict=True))}, "; ".join(reasons))
    return row


def _out_of_range(value: object, column: Column) -> str | None:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        return None
    if column.minimum is not None and value < column.minimum:
        return f"must be at least {column.minimum:g}"
    if column.maximum is not None and value > column.maximum:
        return f"must be at most {column.maximum:g}"
    return None


def _whole(bound: int) -> Callable[[str], int]:
    def parse(cell: str) -> int:
        number = int(cell) if cell.lstrip("+-").isdecimal() else int(_whole_float(cell))
        if not -bound <= number < bound:
            raise ValueError
        return number

    return parse


def _whole_float(cell: str) -> float:
    """Take ``17850.0`` for the number that it is."""
    number = _finite(cell)
    if not number.is_integer():
        raise ValueError
    return number


def _finite(cell: str) -> float:
    number = float(cell)
    if not math.isfinite(number) or "_" in cell:
        raise ValueError
    return number


def _decimal(cell: str) -> Decimal:
    number = Decimal(cell)
    if not number.is_finite() or "_" in cell:
        raise ValueError
    return number


def _boolean(cell: str) -> bool:
    word = cell.strip().lower()
    if word not in TRUE | FALSE:
        raise ValueError
    return word in TRUE


def _moment(cell: str) -> dt.datetime:
    """Take a time without an offset as UTC."""
    moment = dt.datetime.fromisoformat(cell)
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)


PARSERS: dict[Type, Callable[[str], object]] = {
    "text": str,
    "bigint": _whole(BIGINT),
    "integer": _whole(INTEGER),
    "double precision": _finite,
    "numeric": _decimal,
    "boolean": _boolean,
    "date": dt.date.fromisoformat,
    "timestamp with time zone": _moment,
}
