"""How a CSV file is written: found out from its first lines."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass

from include.core.errors import PermanentError

DELIMITERS = (",", ";", "\t", "|")
SAMPLE_LINES = 50


class CsvError(PermanentError, ValueError):
    """A CSV file can't be read as a table; the message says why, and what may be given instead."""


@dataclass(frozen=True)
class Dialect:
    """Delimiter of fields; quotes are ``"``, doubled within a quoted field (RFC 4180)."""

    delimiter: str


def detect(sample: list[str]) -> Dialect:
    """Return the delimiter by which the lines of ``sample`` have the same number of fields, more than one, most often.

    Args:
        sample: first lines of the file, header included.

    Raises:
        CsvError: if the file is empty or no delimiter divides its header.
    """
    lines = [line for line in sample[:SAMPLE_LINES] if line.strip()]
    if not lines:
        raise CsvError("the file is empty; a header with the columns' names is needed")
    scores: dict[str, tuple[int, int]] = {}
    for delimiter in DELIMITERS:
        widths = [len(row) for row in csv.reader(lines, delimiter=delimiter) if row]
        if widths and widths[0] > 1:
            scores[delimiter] = (Counter(widths)[widths[0]], widths[0])
    if not scores:
        known = ", ".join(map(repr, DELIMITERS))
        raise CsvError(f"no delimiter of {known} divides the header {lines[0][:80]!r}; give the delimiter")
    return Dialect(max(scores, key=lambda delimiter: scores[delimiter]))
