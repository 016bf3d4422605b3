"""JSON whose numbers keep their exact digits: read as ``Decimal``, or ``int``, and written with the same digits."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

INTEGER_DIGITS = 40  # longer integers become Decimals: Python refuses to parse an int of more than 4300 digits
ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


def loads(text: str | bytes, parse_constant: Callable[[str], Any] | None = None) -> Any:
    """Parse a JSON text; ``parse_constant`` converts ``NaN`` and infinity, to floats by default.

    Raises:
        ValueError: if it can't be parsed; a ``JSONDecodeError`` if it isn't JSON, or is truncated.
    """
    try:
        return json.loads(text, parse_float=_decimal, parse_int=_integer, parse_constant=parse_constant)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def dumps(value: Any) -> str:
    """Return the JSON text of ``value``; types that JSON doesn't have become strings."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return f"{{{', '.join(f'{ENCODER.encode(str(name))}: {dumps(item)}' for name, item in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(dumps, value))}]"
    return ENCODER.encode(value)


def _decimal(literal: str) -> Decimal:
    try:
        return Decimal(literal)
    except InvalidOperation as error:
        raise ValueError(f"the number {literal[:60]} is out of range") from error


def _integer(literal: str) -> int | Decimal:
    return int(literal) if len(literal) <= INTEGER_DIGITS else _decimal(literal)
