"""Functions that the queries call for the few values that DuckDB's own types can't hold, or not exactly."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal, InvalidOperation
from functools import cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from include.core.dates import to_utc

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from include.core.warehouse.dataset import Ambiguous

WHOLE_DIGITS, FRACTION_DIGITS = 131_072, 16_383  # of a numeric in PostgreSQL
TOO_LONG = f"must have at most {WHOLE_DIGITS} digits before the point, {FRACTION_DIGITS} after it"
INVALID_TIME = "must be an ISO 8601 time, such as 2024-06-01T08:30:00 or with +02:00"
TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.,]\d+)?)?( ?(Z|[+-]\d{2}(:?\d{2})?))?)?", re.ASCII | re.IGNORECASE
)
MICROSECONDS = pa.timestamp("us")
DAY = dt.timedelta(days=1)

ArrowColumn = Any  # DuckDB evaluates the annotations, where Arrow's types take no parameters


def each(function: Callable[[Any], Any], kind: pa.DataType) -> Callable[[ArrowColumn], ArrowColumn]:
    """Return a function on a column that calls ``function`` for each row; NULL where it raises ValueError."""

    def on_column(column: ArrowColumn) -> ArrowColumn:
        return pa.array([_result(function, value) for value in column.to_pylist()], kind)

    return on_column


def problem_of(function: Callable[[Any], Any]) -> Callable[[ArrowColumn], ArrowColumn]:
    """Return a function on a column that returns the message of the ValueError that ``function`` raises, else NULL."""

    def message(value: Any) -> str | None:
        try:
            function(value)
        except ValueError as error:
            return str(error)
        return None

    return each(message, pa.string())


def _result(function: Callable[[Any], Any], value: Any) -> Any:
    try:
        return None if value is None else function(value)
    except ValueError:
        return None


def numeric(text: str) -> Decimal:
    """Return the number that ``text``, valid as a decimal number, stands for.

    Raises:
        ValueError: if PostgreSQL can't store it.
    """
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError(TOO_LONG) from None
    if number.adjusted() >= WHOLE_DIGITS or -int(number.as_tuple().exponent) > FRACTION_DIGITS:
        raise ValueError(TOO_LONG)
    return number


def canonical(text: str) -> str:
    """Return the text that all ways of writing a number share."""
    sign, digits, exponent = Decimal(text).as_tuple()
    shown = "".join(map(str, digits)).lstrip("0")
    kept = shown.rstrip("0")
    return f"{'-' if sign else ''}{kept}e{int(exponent) + len(shown) - len(kept)}" if kept else "0"


def whole(bits: int) -> Callable[[str], int]:
    """Return a function that reads a whole number of that many bits from a valid decimal number."""
    bound = 2 ** (bits - 1)

    def read(text: str) -> int:
        """Accept a number without a fraction, such as ``17850.0``; ``1.23457E+12`` doesn't show all of its digits."""
        try:
            number = numeric(text)
        except ValueError:
            raise ValueError(f"must fit into {bits} bits") from None
        if not number.is_zero() and int(number.as_tuple().exponent) > 0:
            raise ValueError("must show all digits; scientific notation has dropped some")
        if number != number.to_integral_value():
            raise ValueError("must be a whole number")
        if not -bound <= number < bound:
            raise ValueError(f"must fit into {bits} bits")
        return int(number)

    return read


def is_less(left: ArrowColumn, right: ArrowColumn) -> ArrowColumn:
    """Compare two columns of numbers by all of their digits; NULL where one of them is."""
    pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
    return pa.array([None if None in pair else Decimal(pair[0]) < Decimal(pair[1]) for pair in pairs], pa.bool_())


class Times:
    """The times of a column.

    The offset of a whole day is looked up once; each time on a day on which it changes is converted by itself.

    Args:
        zone: time zone of times without an offset.
        ambiguous: how to resolve a local time that occurs twice.
    """

    def __init__(self, zone: ZoneInfo, ambiguous: Ambiguous) -> None:
        self.zone, self.ambiguous = zone, ambiguous
        self._offset = cache(self._offset_of)

    def read(self, text: str) -> dt.datetime:
        """Return a time in UTC, without a zone.

        Raises:
            ValueError: if it isn't a time, doesn't exist, or is out of range.
        """
        try:
            time = dt.datetime.fromisoformat(text.upper()) if TIME.fullmatch(text) else None
        except ValueError:
            time = None
        if time is None:
            raise ValueError(INVALID_TIME)
        return self._utc(time)

    def from_local(self, times: ArrowColumn) -> ArrowColumn:
        """Return local times in UTC; NULL for one that :meth:`read` refuses."""
        days = times.cast(pa.date32()).combine_chunks().dictionary_encode()
        offsets = pa.array([self._offset(day) for day in days.dictionary.to_pylist()], pa.int64()).take(days.indices)
        shifted = pc.subtract(times.combine_chunks().cast(pa.int64()), offsets).cast(MICROSECONDS)
        if not offsets.null_count:
            return shifted
        changing = pc.if_else(pc.is_null(offsets), times.combine_chunks(), None)
        return pc.coalesce(shifted, each(self._utc, MICROSECONDS)(changing))

    def _utc(self, time: dt.datetime) -> dt.datetime:
        return to_utc(time, self.zone, self.ambiguous).replace(tzinfo=None)

    def _offset_of(self, day: dt.date) -> int | None:
        """Return the offset from UTC in microseconds of all times of a day, or None if it changes."""
        try:
            start = dt.datetime.combine(day, dt.time(), self.zone)
            following = start + DAY
            _ = start.astimezone(dt.UTC), following.astimezone(dt.UTC)
        except OverflowError:
            return None
        offsets = {time.replace(fold=fold).utcoffset() for time in (start, following) for fold in (0, 1)}
        offset = offsets.pop()
        return None if offsets or offset is None else offset // dt.timedelta(microseconds=1)
