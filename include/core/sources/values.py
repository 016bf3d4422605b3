"""Converts JSON values to the types of a source's columns."""

from __future__ import annotations

import datetime as dt
import math
import re
from decimal import Context, Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from include.core.dates import to_utc
from include.core.warehouse.dataset import bound_for
from include.core.warehouse.storable import UNSTORABLE, is_storable

if TYPE_CHECKING:
    from collections.abc import Callable
    from zoneinfo import ZoneInfo

    from include.core.sources.model import ColumnContract, Kind

SHOWN = 60
BIGINT = 2**63
SCALE = 9
PRECISION = 38
EXACT = Context(prec=PRECISION)
DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
DECIMAL = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.ASCII | re.IGNORECASE)


class InvalidValueError(ValueError):
    """The value is invalid for its column; the message says what is allowed."""


def convert(value: Any, column: ColumnContract, zone: ZoneInfo) -> Any:
    """Return ``value`` in the column's Python type, or None for a missing value of a nullable column.

    Raises:
        InvalidValueError: saying what is allowed, with the value unless the column holds personal data.
    """
    if value is None or value in column.null_words:
        if column.nullable:
            return None
        raise InvalidValueError("a value is missing")
    try:
        converted = CONVERTERS[column.type](value, column, zone)
        _check(converted, column)
    except InvalidValueError as error:
        raise InvalidValueError(f"{error}{_shown(value, column)}") from None
    except (ArithmeticError, RecursionError, ValueError):
        message = f"must be within the range of the type {column.type}"
        raise InvalidValueError(f"{message}{_shown(value, column)}") from None
    return converted


def _shown(value: Any, column: ColumnContract) -> str:
    if column.pii:
        return ""
    try:
        text = str(value) if isinstance(value, Decimal) else repr(value)
        return f" (got {text[:SHOWN]})"
    except (RecursionError, ValueError):  # nested too deeply, or too many digits
        return f" (got a {type(value).__name__})"


def local_day(value: dt.date | None, zone: ZoneInfo) -> dt.date | None:
    """Return the day of a converted date or timestamp in the time zone ``zone``."""
    if not isinstance(value, dt.datetime):
        return value
    try:
        return value.astimezone(zone).date()
    except OverflowError:  # within a day of the first or the last time that Python knows
        return value.date()


def _check(value: Any, column: ColumnContract) -> None:
    if column.minimum is not None and value < bound_for(value, column.minimum):
        raise InvalidValueError(f"must be at least {column.minimum:g}")
    if column.maximum is not None and value > bound_for(value, column.maximum):
        raise InvalidValueError(f"must be at most {column.maximum:g}")
    if column.allowed and value not in column.allowed:
        raise InvalidValueError(f"must be one of {', '.join(column.allowed)}")
    if column.pattern and not re.fullmatch(column.pattern, value):
        raise InvalidValueError(f"must match {column.pattern}")


def _text(value: Any, _: ColumnContract, __: ZoneInfo) -> str:
    if not isinstance(value, str):
        raise InvalidValueError("must be a string")
    if not is_storable(value):
        raise InvalidValueError(UNSTORABLE)
    return value


def _number(value: Any, _: ColumnContract, __: ZoneInfo) -> float:
    try:
        number = float(value) if isinstance(value, int | float | Decimal) and not isinstance(value, bool) else math.nan
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise InvalidValueError("must be a finite number")
    return number


def _integer(value: Any, column: ColumnContract, zone: ZoneInfo) -> int:
    if not isinstance(value, int | Decimal) or isinstance(value, bool):
        value = Decimal(_number(value, column, zone))
    if not -BIGINT <= value < BIGINT:
        raise InvalidValueError("must fit into 64 bits")
    if value != int(value):
        raise InvalidValueError("must be a whole number")
    return int(value)


def _decimal(value: Any, column: ColumnContract, zone: ZoneInfo) -> Decimal:
    if isinstance(value, str):
        if not DECIMAL.fullmatch(value.strip()):
            raise InvalidValueError("must be a decimal number, such as 1234.5")
    elif not isinstance(value, Decimal):
        _number(value, column, zone)
    try:
        exact = Decimal(str(value))
        rounded = exact.quantize(Decimal(1).scaleb(-SCALE), context=EXACT)
    except InvalidOperation:
        raise InvalidValueError(
            f"must be a decimal number of at most {PRECISION - SCALE} digits before the point"
        ) from None
    if rounded != exact:
        raise InvalidValueError(f"must be a decimal number with at most {SCALE} digits after the point")
    return rounded


def _boolean(value: Any, _: ColumnContract, __: ZoneInfo) -> bool:
    if not isinstance(value, bool):
        raise InvalidValueError("must be true or false")
    return value


def _date(value: Any, _: ColumnContract, __: ZoneInfo) -> dt.date:
    try:
        if isinstance(value, str) and DAY.fullmatch(value):
            return dt.date.fromisoformat(value)
    except ValueError:
        pass
    raise InvalidValueError("must be a day, YYYY-MM-DD")


def _timestamp(value: Any, column: ColumnContract, zone: ZoneInfo) -> dt.datetime:
    try:
        timestamp = dt.datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        timestamp = None
    if timestamp is None or not isinstance(value, str) or len(value) <= len("2024-06-01"):
        raise InvalidValueError("must be an ISO 8601 time, such as 2024-06-01T08:30:00 or with +02:00")
    try:
        return to_utc(timestamp, zone, column.ambiguous)
    except ValueError as error:
        raise InvalidValueError(str(error)) from None


CONVERTERS: dict[Kind, Callable[[Any, ColumnContract, ZoneInfo], Any]] = {
    "text": _text,
    "integer": _integer,
    "number": _number,
    "decimal": _decimal,
    "boolean": _boolean,
    "date": _date,
    "timestamp": _timestamp,
}
