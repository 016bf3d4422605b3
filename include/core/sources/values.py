"""From a value as JSON gives it to the value of a column; what doesn't fit is refused in words."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from include.core.sources.model import ColumnContract, Kind

SHOWN = 60
BIGINT = 2**63
SCALE = 9
PRECISION = 38


class UnfitError(ValueError):
    """The value doesn't fit its column; the text says what is allowed."""


def convert(value: Any, column: ColumnContract, zone: ZoneInfo) -> Any:
    """Return ``value`` in the column's Python type, or None where one may be missing.

    Raises:
        UnfitError: saying what is allowed, and what came unless the column holds personal data.
    """
    if value is None or value in column.null_words:
        if column.nullable:
            return None
        raise UnfitError("a value is missing")
    try:
        found = CONVERTERS[column.type](value, column, zone)
        _check(found, column)
    except UnfitError as error:
        shown = "" if column.pii else f" (got {repr(value)[:SHOWN]})"
        raise UnfitError(f"{error}{shown}") from None
    return found


def local_day(value: Any, zone: ZoneInfo) -> dt.date | None:
    """Return the day of a converted date or timestamp, by the clocks of ``zone``."""
    return value.astimezone(zone).date() if isinstance(value, dt.datetime) else value


def localise(naive: dt.datetime, zone: ZoneInfo, ambiguous: str) -> dt.datetime:
    """Return the moment that a local time without an offset means.

    Args:
        naive: the local time.
        zone: where it was taken.
        ambiguous: which of two it is when clocks were set back: ``earlier``, ``later`` or ``reject``.

    Raises:
        UnfitError: if clocks never showed that time, or showed it twice and that is to be rejected.
    """
    earlier, later = naive.replace(tzinfo=zone, fold=0), naive.replace(tzinfo=zone, fold=1)
    if earlier.utcoffset() == later.utcoffset():
        return earlier.astimezone(dt.UTC)
    if earlier.astimezone(dt.UTC).astimezone(zone).replace(tzinfo=None) != naive:
        raise UnfitError(f"no clock in {zone} showed that time: summer time began")
    if ambiguous == "reject":
        raise UnfitError(f"clocks in {zone} showed that time twice: summer time ended; an offset must say which it is")
    return (earlier if ambiguous == "earlier" else later).astimezone(dt.UTC)


def _check(value: Any, column: ColumnContract) -> None:
    if column.minimum is not None and value < column.minimum:
        raise UnfitError(f"must be at least {column.minimum:g}")
    if column.maximum is not None and value > column.maximum:
        raise UnfitError(f"must be at most {column.maximum:g}")
    if column.allowed and value not in column.allowed:
        raise UnfitError(f"must be one of {', '.join(column.allowed)}")
    if column.pattern and not re.fullmatch(column.pattern, value):
        raise UnfitError(f"must match {column.pattern}")


def _text(value: Any, _: ColumnContract, __: ZoneInfo) -> str:
    if not isinstance(value, str):
        raise UnfitError("must be a text")
    return value


def _number(value: Any, _: ColumnContract, __: ZoneInfo) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise UnfitError("must be a finite number")
    return float(value)


def _integer(value: Any, column: ColumnContract, zone: ZoneInfo) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        whole = value
    elif (number := _number(value, column, zone)).is_integer():
        whole = int(number)
    else:
        raise UnfitError("must be a whole number")
    if not -BIGINT <= whole < BIGINT:
        raise UnfitError("must fit into 64 bits")
    return whole


def _decimal(value: Any, column: ColumnContract, zone: ZoneInfo) -> Decimal:
    if not isinstance(value, str):
        _number(value, column, zone)
    try:
        exact = Decimal(str(value))
        rounded = exact.quantize(Decimal(1).scaleb(-SCALE))
    except InvalidOperation:
        raise UnfitError(f"must be a decimal number of at most {PRECISION - SCALE} digits before the point") from None
    if not exact.is_finite() or rounded != exact or abs(exact) >= Decimal(10) ** (PRECISION - SCALE):
        raise UnfitError(f"must be a decimal number with at most {SCALE} digits after the point")
    return rounded


def _boolean(value: Any, _: ColumnContract, __: ZoneInfo) -> bool:
    if not isinstance(value, bool):
        raise UnfitError("must be true or false")
    return value


def _date(value: Any, _: ColumnContract, __: ZoneInfo) -> dt.date:
    try:
        if isinstance(value, str) and len(value) == len("2024-06-01"):
            return dt.date.fromisoformat(value)
    except ValueError:
        pass
    raise UnfitError("must be a day, YYYY-MM-DD")


def _timestamp(value: Any, column: ColumnContract, zone: ZoneInfo) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        moment = None
    if moment is None or not isinstance(value, str) or len(value) <= len("2024-06-01"):
        raise UnfitError("must be a time as ISO 8601 has it, such as 2024-06-01T08:30:00 or with +02:00")
    return moment.astimezone(dt.UTC) if moment.tzinfo else localise(moment, zone, column.ambiguous)


CONVERTERS: dict[Kind, Callable[[Any, ColumnContract, ZoneInfo], Any]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}
