"""JSON whose numbers keep their exact digits: read as ``Decimal``, or ``int``, and written with the same digits."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

INTEGER_DIGITS = 40  # longer integers become Decimals: Python refuses to parse an int of more than 4300 digits
MAX_DEPTH = 100  # levels of arrays and objects; code that goes through them may recurse
TOO_DEEP = f"it is nested more than {MAX_DEPTH} levels deep"
ENCODER = json.JSONEncoder(ensure_ascii=False, default=str)


def loads(
    text: str | bytes,
    parse_constant: Callable[[str], Any] | None = None,
    parse_float: Callable[[str], Any] | None = None,
    parse_object: Callable[[list[tuple[str, Any]]], Any] | None = None,
) -> Any:
    """Parse a JSON text.

    Args:
        text: JSON.
        parse_constant: converts ``NaN`` and infinity, to floats by default.
        parse_float: converts numbers with a point or an exponent, to ``Decimal`` by default.
        parse_object: converts the members of an object, to a ``dict`` by default; the last of equal names counts.

    Raises:
        ValueError: if it can't be parsed, or is nested deeper than :data:`MAX_DEPTH`; a ``JSONDecodeError`` if it isn't
            JSON, or is truncated.
    """
    try:
        content = json.loads(
            text,
            parse_float=parse_float or _decimal,
            parse_int=_integer,
            parse_constant=parse_constant,
            object_pairs_hook=parse_object,
        )
    except RecursionError as error:
        raise ValueError(TOO_DEEP) from error
    if _may_be_deep(text):
        _check_depth(content)
    return content


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


def _may_be_deep(text: str | bytes) -> bool:
    brackets = ("[", "{") if isinstance(text, str) else (b"[", b"{")
    return sum(map(text.count, brackets)) > MAX_DEPTH  # type: ignore[arg-type]


def _check_depth(content: Any) -> None:
    level = [content]
    for _ in range(MAX_DEPTH + 1):
        containers = (
            item.values() if isinstance(item, dict) else item for item in level if isinstance(item, dict | list)
        )
        level = [child for container in containers for child in container]
        if not level:
            return
    raise ValueError(TOO_DEEP)
