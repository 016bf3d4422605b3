"""Detects the dialect of a CSV file from its first lines."""

from __future__ import annotations

import contextlib
import csv
from collections import Counter
from dataclasses import dataclass

from include.core.errors import UnreadableError

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_LINES = 50


class CsvError(UnreadableError):
    """A CSV file can't be read as a table; the message says why and how to fix it."""


@dataclass(frozen=True)
class Dialect:
    """The field delimiter; quotes are ``"``, doubled within a quoted field (RFC 4180)."""

    delimiter: str


def detect(sample: list[str]) -> Dialect:
    """Return the delimiter that splits most lines of ``sample`` into the same number of fields, at least two.

    Args:
        sample: first lines of the file, header included.

    Raises:
        CsvError: if the file is empty or no delimiter splits its header.
    """
    lines = [line for line in sample[:SAMPLE_LINES] if line.strip()]
    if not lines:
        raise CsvError("the file is empty; it needs a header with the column names")
    scores: dict[str, tuple[int, int]] = {}
    for delimiter in DELIMITERS:
        widths = _widths(lines, delimiter)
        if widths and widths[0] > 1:
            scores[delimiter] = (Counter(widths)[widths[0]], widths[0])
    if not scores:
        known = ", ".join(map(repr, DELIMITERS))
        raise CsvError(f"none of the delimiters {known} splits the header {lines[0][:80]!r}; specify the delimiter")
    return Dialect(max(scores, key=lambda delimiter: scores[delimiter]))


def _widths(lines: list[str], delimiter: str) -> list[int]:
    """Return the number of fields of each row, up to one that isn't valid, which is reported with its line later."""
    widths: list[int] = []
    with contextlib.suppress(csv.Error):
        widths.extend(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
    return widths
