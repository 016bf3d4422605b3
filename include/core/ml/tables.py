"""Reads training data from CSV files."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pandas as pd

from include.core.ml.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping


def read_csv(content: bytes, name: str, delimiter: str = ",", dtype: Mapping[str, type] | None = None) -> pd.DataFrame:
    """Return the rows of a CSV file; their index is the line on which each ends.

    Args:
        content: the file.
        name: what the file is; starts each error message.
        delimiter: the field delimiter.
        dtype: types of columns; the others are inferred.

    Raises:
        DataError: naming the line, if the file isn't UTF-8, has no rows, or a row has more or fewer fields than the
            header.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}: line {line}: not UTF-8 ({error.reason})") from error
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    rows, lines = [], []
    try:
        for row in reader:
            if row:
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise DataError(f"{name}: line {reader.line_num}: not valid CSV: {error}") from error
    if len(rows) < 2:
        found = f"line {lines[0]} is the header, and no row follows" if rows else "the file is empty"
        raise DataError(f"{name}: {found}; at least one row is needed")
    for row, line in zip(rows, lines, strict=True):
        if len(row) != len(rows[0]):
            raise DataError(f"{name}: line {line}: has {len(row)} fields, the header has {len(rows[0])}")
    try:
        table = pd.read_csv(io.StringIO(text, newline=""), sep=delimiter, dtype=dtype)
        table.index = pd.Index(lines[1:])
    except ValueError as error:
        raise DataError(f"{name}: not a valid CSV file: {error}") from error
    return table
