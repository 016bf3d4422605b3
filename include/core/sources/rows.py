"""Part a day's rows into those that keep the source's contract and those that don't, each with its line and reason."""

from __future__ import annotations

import json
import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from include.core.sources.values import UnfitError, convert, local_day
from include.core.warehouse.dataset import Rejected

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from include.core.sources.model import Source

log = logging.getLogger(__name__)

HIDDEN = "(personal data)"


class SplitRows(NamedTuple):
    """Every row that came, once: in ``good``, with exactly the columns of the table, or in ``rejected``."""

    good: list[dict[str, Any]]
    rejected: list[Rejected]


def split_rows(source: Source, day: dt.date, lines: Iterable[str | bytes], file: str) -> SplitRows:
    """Read a day's rows and check each.

    Of rows that are equal in every column the first is good and its copies are rejected; rows of the same key that
    contradict each other are all rejected, since nothing says which is right.

    Args:
        source: whose contract to apply.
        day: the day that was asked for.
        lines: one JSON text a row.
        file: where they stand; goes into quarantine with the line.
    """
    rejected: dict[int, Rejected] = {}
    converted: dict[int, dict[str, Any]] = {}
    raw: dict[int, Any] = {}
    unknown: Counter[str] = Counter()
    for number, line in enumerate(lines, start=1):
        row = json.loads(line)
        outcome = _convert_row(source, day, row, number, unknown)
        if isinstance(outcome, dict):
            converted[number], raw[number] = outcome, row
        else:
            rejected[number] = _rejected(source, row, file, number, outcome)
    for number, reason in _repeated(source, converted).items():
        del converted[number]
        rejected[number] = _rejected(source, raw[number], file, number, reason)
    if unknown:
        log.warning(
            "source %s, %s: fields that the contract doesn't have, with their rows: %s; add them to %s.yaml if they"
            " are wanted",
            source.name, day, dict(unknown), source.name,
        )  # fmt: skip
    return SplitRows(list(converted.values()), [rejected[number] for number in sorted(rejected)])


def _convert_row(source: Source, day: dt.date, row: Any, number: int, unknown: Counter[str]) -> dict[str, Any] | str:
    """Return the row of the table, or the reasons why there is none."""
    if not isinstance(row, dict):
        return "must be an object of fields"
    found: dict[str, Any] = {"day": day} | ({"line": number} if "line" in source.key else {})
    reasons = []
    for name, column in source.columns.items():
        try:
            found[name] = convert(row.get(column.source or name), column, source.zone)
        except UnfitError as error:
            reasons.append(f"{name}: {error}")
    unknown.update(row.keys() - {column.source or name for name, column in source.columns.items()})
    if reasons:
        return "; ".join(reasons)
    if source.day_column and (own := local_day(found[source.day_column], source.zone)) != day:
        return f"{source.day_column}: must lie on {day}, the day that was asked for, not on {own}"
    return found


def _repeated(source: Source, rows: dict[int, dict[str, Any]]) -> dict[int, str]:
    """Return the reasons against rows whose key stands more than once, by their number."""
    by_key: dict[tuple[Any, ...], list[int]] = {}
    for number, row in rows.items():
        by_key.setdefault(tuple(row[name] for name in source.key), []).append(number)
    reasons: dict[int, str] = {}
    key = ", ".join(source.key)
    for numbers in by_key.values():
        first, *others = numbers
        if any(rows[number] != rows[first] for number in others):
            alike = ", ".join(map(str, numbers))
            reasons |= dict.fromkeys(numbers, f"{key}: the lines {alike} have the same key and contradict each other")
        else:
            reasons |= dict.fromkeys(others, f"{key}: copy of line {first}, which is loaded")
    return reasons


def _rejected(source: Source, row: Any, file: str, number: int, reason: str) -> Rejected:
    """Keep what came, but personal data and what the contract doesn't know, which may be such."""
    shown: Any = row
    if isinstance(row, dict):
        public = {column.source or name for name, column in source.columns.items() if not column.pii}
        shown = {name: value if name in public else HIDDEN for name, value in row.items()}
    return Rejected({"file": file, "line": number, "row": shown}, reason)
