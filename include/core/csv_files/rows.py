"""Reads the rows of a CSV file for a dataset, one at a time."""

from __future__ import annotations

import csv
import datetime as dt
import math
import zlib
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from include.core.csv_files.dialect import SAMPLE_LINES, CsvError, Dialect, detect
from include.core.csv_files.fetch import as_text, head
from include.core.dates import to_utc
from include.core.warehouse.dataset import HIDDEN, Rejected, bound_for
from include.core.warehouse.storable import UNSTORABLE, is_storable

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from typing import BinaryIO
    from zoneinfo import ZoneInfo

    from include.core.warehouse.dataset import Column, Dataset, Type
    from include.core.warehouse.rules import ColumnRule

TRUE, FALSE = {"true", "t", "yes", "y", "1"}, {"false", "f", "no", "n", "0"}
SHOWN = 60
LONGEST_FIELD = 1024 * 1024
BIGINT, INTEGER = 2**63, 2**31
WHOLE_DIGITS, FRACTION_DIGITS = 131_072, 16_383  # of a numeric in PostgreSQL


class InvalidCellError(ValueError):
    """The cell is invalid for its column; the message says what is allowed."""


class _Layout(NamedTuple):
    """What applies to each row of a file."""

    header: list[str]
    positions: list[tuple[Column, int]]
    nulls: Collection[str]
    zone: ZoneInfo
    rules: tuple[ColumnRule, ...]
    personal: frozenset[str]
    group: Callable[[Mapping[str, object]], tuple[str, ...] | None]


def read_rows(
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
    """Yield each row of the file, converted to the dataset's columns or rejected with its line and reason.

    Args:
        file: the file's bytes, plain or gzip.
        dataset: dataset whose columns are read; other columns of the file are ignored.
        fixed: columns whose value isn't in the file.
        rename: header in the file, by column; by default the column's name.
        delimiter: ``None`` to detect it.
        encoding: text encoding.
        nulls: texts that mean NULL.
        line_column: column for the line number of the row in the file.

    Raises:
        CsvError: if the header lacks a column, or the file can't be decoded.
    """
    csv.field_size_limit(LONGEST_FIELD)
    text = as_text(file, encoding)
    line = 1
    try:
        sample = head(text, SAMPLE_LINES)
        if "\0" in sample[0]:
            raise CsvError(f"the header has NUL characters as {encoding}: it looks like UTF-16; specify its encoding")
        dialect = Dialect(delimiter) if delimiter else detect(sample)
        reader = csv.reader(text, delimiter=dialect.delimiter, strict=True)
        header = next(reader, [])
        wanted = [column for column in dataset.columns if column.name not in {*fixed, line_column}]
        positions = [(column, _position(header, rename.get(column.name, column.name))) for column in wanted]
        layout = _Layout(header, positions, nulls, dataset.zone, dataset.column_rules, dataset.personal, dataset.group)
        line = reader.line_num + 1
        for cells in reader:
            if cells:
                numbered = {**fixed, line_column: line} if line_column else fixed
                yield _row(cells, line, layout, numbered)
            line = reader.line_num + 1
    except (csv.Error, UnicodeError, EOFError, OSError, zlib.error) as error:
        raise CsvError(f"line {line}: the file can't be read further: {error}; nothing was loaded") from error
    finally:
        text.detach()


def _position(header: list[str], name: str) -> int:
    names = [cell.strip() for cell in header]
    if names.count(name) != 1:
        columns = ", ".join(repr(name)[1:-1] for name in names)
        raise CsvError(
            f"the header has {names.count(name)} columns {name!r}; it must have one. Columns: {columns[:300]}"
        )
    return names.index(name)


def _row(cells: list[str], line: int, layout: _Layout, fixed: Mapping[str, object]) -> dict[str, object] | Rejected:
    header, positions, nulls, zone, rules, personal, group = layout
    if len(cells) != len(header):
        return Rejected(
            {"line": line, "cells": HIDDEN if personal else cells}, f"has {len(cells)} fields, the header {len(header)}"
        )
    row = dict(fixed)
    reasons = []
    for column, position in positions:
        cell = cells[position] if column.type == "text" else cells[position].strip()
        if cell in nulls or cells[position] in nulls:
            row[column.name] = None
            if not column.nullable:
                reasons.append(f"{column.name}: a value is missing")
            continue
        shown = HIDDEN if column.pii else repr(cell[:SHOWN])
        try:
            value = PARSERS[column.type](cell, zone)
        except InvalidCellError as error:
            reasons.append(f"{column.name}: {error} (got {shown})")
            continue
        except (ArithmeticError, ValueError):
            reasons.append(f"{column.name}: {shown} is not a valid {column.type}")
            continue
        if problem := _out_of_range(value, column):
            reasons.append(f"{column.name}: {problem} (got {HIDDEN if column.pii else cell[:SHOWN]})")
        row[column.name] = value
    if not reasons:
        reasons = [rule.reason(row, personal) for rule in rules if rule.is_broken(row)]
    if reasons:
        public = {position for column, position in positions if not column.pii}
        values = {name: cells[at] if at in public else HIDDEN for at, name in enumerate(header)}
        return Rejected(values | {"line": line}, "; ".join(reasons), group(row))
    return row


def _out_of_range(value: object, column: Column) -> str | None:
    if not isinstance(value, int | float | Decimal) or isinstance(value, bool):
        return None
    if column.minimum is not None and value < bound_for(value, column.minimum):
        return f"must be at least {column.minimum:g}"
    if column.maximum is not None and value > bound_for(value, column.maximum):
        return f"must be at most {column.maximum:g}"
    return None


def _text(cell: str, _: ZoneInfo) -> str:
    if not is_storable(cell):
        raise InvalidCellError(UNSTORABLE)
    return cell


def _whole(bound: int) -> Parser:
    def parse(cell: str, zone: ZoneInfo) -> int:
        """Accept a number without a fraction, such as ``17850.0``; ``1.23457E+12`` doesn't show all of its digits."""
        number = _decimal(cell, zone)
        if not number.is_zero() and int(number.as_tuple().exponent) > 0:
            raise InvalidCellError("must show all digits; scientific notation has dropped some")
        if not -bound <= number < bound or number != number.to_integral_value():
            raise ValueError
        return int(number)

    return parse


def _finite(cell: str, _: ZoneInfo) -> float:
    number = float(cell)
    if not math.isfinite(number) or "_" in cell:
        raise ValueError
    return number


def _decimal(cell: str, _: ZoneInfo) -> Decimal:
    number = Decimal(cell)
    if not number.is_finite() or "_" in cell:
        raise ValueError
    if number.adjusted() >= WHOLE_DIGITS or -int(number.as_tuple().exponent) > FRACTION_DIGITS:
        raise InvalidCellError(f"must have at most {WHOLE_DIGITS} digits before the point, {FRACTION_DIGITS} after it")
    return number


def _boolean(cell: str, _: ZoneInfo) -> bool:
    word = cell.lower()
    if word not in TRUE | FALSE:
        raise ValueError
    return word in TRUE


def _date(cell: str, _: ZoneInfo) -> dt.date:
    return dt.date.fromisoformat(cell)


def _timestamp(cell: str, zone: ZoneInfo) -> dt.datetime:
    """Read a time without an offset in the dataset's time zone."""
    timestamp = dt.datetime.fromisoformat(cell)
    try:
        return to_utc(timestamp, zone)
    except ValueError as error:
        raise InvalidCellError(str(error)) from None


Parser: TypeAlias = "Callable[[str, ZoneInfo], object]"
PARSERS: dict[Type, Parser] = {
    "text": _text,
    "bigint": _whole(BIGINT),
    "integer": _whole(INTEGER),
    "double precision": _finite,
    "numeric": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp with time zone": _timestamp,
}
