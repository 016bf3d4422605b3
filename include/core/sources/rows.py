"""Splits a day's rows into valid rows and rejected ones, each with its line and reason."""

from __future__ import annotations

import logging
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from include.core import exact_json
from include.core.sources.dataset import dataset_of
from include.core.sources.values import InvalidValueError, convert, local_day
from include.core.warehouse.dataset import HIDDEN, Rejected

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable

    from include.core.sources.model import Source
    from include.core.warehouse.rules import ColumnRule

log = logging.getLogger(__name__)

SHOWN_LINES = 5


class SplitRows(NamedTuple):
    """All received rows: valid ones in ``good``, with exactly the columns of the table, the others in ``rejected``."""

    good: list[dict[str, Any]]
    rejected: list[Rejected]


def split_rows(source: Source, day: dt.date, lines: Iterable[str | bytes], file: str) -> SplitRows:
    """Read and check a day's rows.

    Of duplicate rows the first is kept and the copies are rejected; rows with the same key but different values are all
    rejected, since it is unknown which is right.

    Args:
        source: source whose contract applies.
        day: the requested day.
        lines: one JSON text per row.
        file: their file; stored in quarantine with the line.
    """
    rejected: dict[int, Rejected] = {}
    converted: dict[int, dict[str, Any]] = {}
    raw: dict[int, Any] = {}
    unknown: Counter[str] = Counter()
    rules = dataset_of(source).column_rules
    for number, line in enumerate(lines, start=1):
        row = exact_json.loads(line)
        outcome = _convert_row(source, rules, day, row, number, unknown)
        if isinstance(outcome, dict):
            converted[number], raw[number] = outcome, row
        else:
            rejected[number] = _rejected(source, row, file, number, outcome)
    for number, (reason, is_copy) in _duplicates(source, converted).items():
        del converted[number]
        rejected[number] = _rejected(source, raw[number], file, number, reason, is_copy=is_copy)
    if unknown:
        log.warning(
            "source %s, %s: fields not in the contract, with their number of rows: %s; add them to %s.yaml if they"
            " are needed",
            source.name, day, dict(unknown), source.name,
        )  # fmt: skip
    return SplitRows(list(converted.values()), [rejected[number] for number in sorted(rejected)])


def _convert_row(
    source: Source, rules: Iterable[ColumnRule], day: dt.date, row: Any, number: int, unknown: Counter[str]
) -> dict[str, Any] | str:
    """Return the row of the table, or the reasons for rejecting it."""
    if not isinstance(row, dict):
        return "must be an object of fields"
    converted: dict[str, Any] = {"day": day} | ({"line": number} if "line" in source.key else {})
    reasons = []
    for name, column in source.columns.items():
        try:
            converted[name] = convert(row.get(column.source or name), column, source.zone)
        except InvalidValueError as error:
            reasons.append(f"{name}: {error}")
    unknown.update(row.keys() - {column.source or name for name, column in source.columns.items()})
    if reasons:
        return "; ".join(reasons)
    if source.day_column and (actual := local_day(converted[source.day_column], source.zone)) != day:
        return f"{source.day_column}: must lie on {day}, the requested day, not on {actual}"
    personal = {name for name, column in source.columns.items() if column.pii}
    broken = [rule.reason(converted, personal) for rule in rules if rule.is_broken(converted)]
    return "; ".join(broken) or converted


def _duplicates(source: Source, rows: dict[int, dict[str, Any]]) -> dict[int, tuple[str, bool]]:
    """Return the reasons for rejecting rows with the same key, by row number, and whether they are copies."""
    by_key: dict[tuple[Any, ...], list[int]] = {}
    for number, row in rows.items():
        by_key.setdefault(tuple(row[name] for name in source.key), []).append(number)
    reasons: dict[int, tuple[str, bool]] = {}
    key = ", ".join(source.key)
    for numbers in by_key.values():
        first, *others = numbers
        if any(rows[number] != rows[first] for number in others):
            more = f" and {len(numbers) - SHOWN_LINES} more" if len(numbers) > SHOWN_LINES else ""
            listed = ", ".join(map(str, numbers[:SHOWN_LINES])) + more
            reason = f"{key}: the lines {listed} have the same key but different values"
            reasons |= dict.fromkeys(numbers, (reason, False))
        else:
            reasons |= dict.fromkeys(others, (f"{key}: copy of line {first}, which is loaded", True))
    return reasons


def _rejected(source: Source, row: Any, file: str, number: int, reason: str, *, is_copy: bool = False) -> Rejected:
    """Reject a row, masking personal data and unknown fields, which may be personal."""
    shown: Any = row
    if isinstance(row, dict):
        public = {column.source or name for name, column in source.columns.items() if not column.pii}
        shown = {name: value if name in public else HIDDEN for name, value in row.items()}
    return Rejected({"file": file, "line": number, "row": shown}, reason, _group(source, row), is_copy)


def _group(source: Source, row: Any) -> tuple[str, ...] | None:
    """Return the values of the ``together`` columns; ``None`` if one is invalid."""
    if not source.together or not isinstance(row, dict):
        return None
    columns = [(name, source.columns[name]) for name in source.together]
    try:
        values = [convert(row.get(column.source or name), column, source.zone) for name, column in columns]
    except InvalidValueError:
        return None
    return None if None in values else tuple(map(str, values))
