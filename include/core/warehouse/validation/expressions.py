"""Compiles the rules of a dataset to DuckDB expressions.

A column has three expressions: its cell as text, NULL where a value is missing; its value, NULL where the cell isn't
valid; and its problem, the rule that the cell breaks in words, or NULL. Each refers to the earlier ones by name, see
:class:`Names`.
"""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING, NamedTuple

from include.core.warehouse.patterns import portable
from include.core.warehouse.storable import UNSTORABLE
from include.core.warehouse.validation.functions import FRACTION_DIGITS, INVALID_TIME, TOO_LONG

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from include.core.warehouse.dataset import Column, Dataset, Type
    from include.core.warehouse.rules import ColumnRule

TRUE, FALSE = ("true", "t", "yes", "y", "1"), ("false", "f", "no", "n", "0")
SHORT_WHOLE = r"[+-]?[0-9]{1,19}(\.0*)?"
PLAIN_NUMBER = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)"
NUMBER = rf"{PLAIN_NUMBER}([eE][+-]?[0-9]+)?"
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
LOCAL_TIME = rf"{DAY}[T ]([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{{1,6}})?"
TIME_WITH_OFFSET = rf"{LOCAL_TIME}(Z|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
TIME_RANGE = "BETWEEN TIMESTAMP '0001-01-01' AND TIMESTAMP '9999-12-31 23:59:59.999999'"
EXACT_DIGITS = 15
"""Numbers of that many digits are equal if they round to the same one in double precision."""
BEYOND_BIGINT = 2**64
MISSING = "a value is missing"
SYNTAX: dict[Type, str] = {
    "text": "must be a string",
    "bigint": "must be a finite number",
    "integer": "must be a finite number",
    "double precision": "must be a finite number",
    "numeric": "must be a decimal number, such as 1234.5",
    "boolean": "must be true or false",
    "date": "must be a day, YYYY-MM-DD",
    "timestamp with time zone": INVALID_TIME,
}
KINDS: dict[Type, str] = {"text": "s", "numeric": "ns", "boolean": "b", "date": "s", "timestamp with time zone": "s"}


class Names:
    """The names by which the expressions of a column refer to one another, quoted.

    Attributes:
        column: the column, without quotes.
        raw: the text as received, without white space around it except in a text column.
        kind: what the value is in JSON: ``s`` a string, ``n`` a number, ``b`` true or false, ``u`` a string with a lone
            surrogate, ``o`` an object or a list; where values have no types, as in CSV, the constant NULL, so that
            DuckDB drops what depends on it.
        cell: the text, or NULL.
        value: the value, or NULL.
        problem: the broken rule, or NULL.
    """

    def __init__(self, column: str, *, is_typed: bool) -> None:
        self.column = column
        self.raw, self.cell = name(f"raw {column}"), name(f"cell {column}")
        self.kind = name(f"kind {column}") if is_typed else "CAST(NULL AS VARCHAR)"
        self.value, self.problem = name(column), name(f"problem {column}")


class Expressions(NamedTuple):
    """The expressions of a column."""

    cell: str
    value: str
    problem: str


class Conversion(NamedTuple):
    """The value of a cell, and the rule that it breaks where the value is NULL."""

    value: str
    invalid: str


def literal(text: str) -> str:
    """Return an SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """Return a quoted SQL identifier."""
    return '"' + text.replace('"', '""') + '"'


def number_text(bound: float) -> str:
    """Return a bound as it was written, without an exponent: ``0``, ``0.1``."""
    return f"{int(bound)}" if bound == int(bound) else f"{Decimal(repr(bound)):f}"


def column_expressions(
    column: Column, dataset: Dataset, names: Names, nulls: Collection[str], required: str | None = None
) -> Expressions:
    """Return the expressions of a column.

    Args:
        column: the column.
        dataset: its dataset.
        names: its names.
        nulls: texts that mean NULL, besides the column's null words.
        required: the only accepted value, in SQL.
    """
    value, invalid = CONVERSIONS[column.type](column, dataset, names)
    kinds = ", ".join(map(literal, KINDS.get(column.type, "n")))
    missing = "NULL" if column.nullable else literal(MISSING)
    required_value = "" if required is None else f" WHEN {names.value} <> {required} THEN 'must be ' || {required}"
    limits = required_value + "".join(
        f" WHEN {broken} THEN {literal(rule)}" for broken, rule in _limits(column, names.value)
    )
    return Expressions(
        _cell(column, names, nulls),
        f"CASE WHEN coalesce({names.kind} IN ({kinds}), true) THEN {value} END",
        f"CASE WHEN {names.cell} IS NULL THEN {missing} WHEN {names.kind} = 'u' THEN {literal(UNSTORABLE)}"
        f" WHEN {names.kind} NOT IN ({kinds}) THEN {literal(SYNTAX[column.type])}"
        f" WHEN {names.value} IS NULL THEN {invalid}{limits} END",
    )


def rule_expression(rule: ColumnRule, dataset: Dataset) -> str:
    """Return a condition that is true for rows that break a rule between columns."""
    left, right = name(rule.left), name(rule.right) if isinstance(rule.right, str) else str(rule.right)
    types = {dataset.column(column).type for column in rule.columns}
    if "numeric" in types:
        left, right = (f"CAST({side} AS VARCHAR)" for side in (left, right))
        less, more = _is_less_number(left, right), _is_less_number(right, left)
        holds = {
            "<": less, ">": more, ">=": f"NOT {less}", "<=": f"NOT {more}", "=": f"NOT {less} AND NOT {more}",
        }[rule.comparison]  # fmt: skip
    else:
        holds = f"{left} {rule.comparison} {right}"
    broken = f"NOT ({holds})"
    if rule.exempt:
        column, prefix = rule.exempt
        broken += f" AND NOT coalesce(starts_with({name(column)}, {literal(prefix)}), false)"
    return f"coalesce({broken}, false)"


def _is_less_number(left: str, right: str) -> str:
    """Compare numbers of any length, given as text, exactly; rounding both keeps their order."""
    a, b = f"TRY_CAST({left} AS DOUBLE)", f"TRY_CAST({right} AS DOUBLE)"
    return (
        f"CASE WHEN {a} <> {b} THEN {a} < {b} WHEN greatest(length({left}), length({right})) <= {EXACT_DIGITS}"
        f" THEN false ELSE is_less({left}, {right}) END"
    )


def _cell(column: Column, names: Names, nulls: Collection[str]) -> str:
    words = {*nulls, *column.null_words}
    if column.type != "text":
        words = {word.strip() for word in words}
    if not words:
        return names.raw
    is_null = f"{names.raw} IN ({', '.join(map(literal, sorted(words)))})"
    return f"CASE WHEN {is_null} AND coalesce({names.kind} = 's', true) THEN NULL ELSE {names.raw} END"


def _limits(column: Column, value: str) -> Iterator[tuple[str, str]]:
    """Yield the conditions under which a value breaks the column's limits, each with the limit in words."""
    if column.minimum is not None:
        yield _is_less(column, value, column.minimum), f"must be at least {number_text(column.minimum)}"
    if column.maximum is not None:
        yield _is_less(column, column.maximum, value), f"must be at most {number_text(column.maximum)}"
    if column.allowed:
        words = ", ".join(map(literal, column.allowed))
        yield f"{value} NOT IN ({words})", f"must be one of {', '.join(column.allowed)}"
    if column.pattern:
        yield f"NOT regexp_full_match({value}, {literal(portable(column.pattern))})", f"must match {column.pattern}"


def _is_less(column: Column, left: str | float, right: str | float) -> str:
    """Compare a value with a bound, exactly as the bound was written."""
    if column.type == "numeric":
        left, right = (side if isinstance(side, str) else literal(number_text(side)) for side in (left, right))
        return _is_less_number(left, right)
    if column.type == "double precision":
        left, right = (side if isinstance(side, str) else f"CAST({side!r} AS DOUBLE)" for side in (left, right))
        return f"{left} < {right}"
    left, right = (
        left if isinstance(left, str) else str(max(math.floor(left), -BEYOND_BIGINT)),
        right if isinstance(right, str) else str(min(math.ceil(right), BEYOND_BIGINT)),
    )
    return f"{left} < {right}"


def _text(_: Column, __: Dataset, names: Names) -> Conversion:
    return Conversion(f"CASE WHEN NOT contains({names.cell}, chr(0)) THEN {names.cell} END", literal(UNSTORABLE))


def _whole(column: Column, _: Dataset, names: Names) -> Conversion:
    cell, kind = names.cell, column.type
    number = f"TRY_CAST({cell} AS {kind})"
    short = f"regexp_full_match({cell}, '{SHORT_WHOLE}')"
    value = (
        f"CASE WHEN CAST({number} AS VARCHAR) = {cell} THEN {number}"  # the usual form, fast to check
        f" WHEN {short} THEN TRY_CAST(split_part({cell}, '.', 1) AS {kind})"
        f" WHEN {_is_number(cell)} THEN read_{kind}({cell}) END"
    )
    invalid = f"CASE WHEN {_is_number(cell)} THEN problem_{kind}({cell}) ELSE {literal(SYNTAX[kind])} END"
    return Conversion(value, invalid)


def _double(column: Column, _: Dataset, names: Names) -> Conversion:
    number = f"TRY_CAST({names.cell} AS DOUBLE)"
    value = f"CASE WHEN {_is_number(names.cell)} AND isfinite({number}) THEN {number} END"
    return Conversion(value, literal(SYNTAX[column.type]))


def _numeric(column: Column, _: Dataset, names: Names) -> Conversion:
    cell = names.cell
    value = (
        f"CASE WHEN length({cell}) <= {FRACTION_DIGITS} AND regexp_full_match({cell}, '{PLAIN_NUMBER}') THEN {cell}"
        f" WHEN {_is_number(cell)} THEN CASE WHEN problem_numeric({cell}) IS NULL THEN {cell} END END"
    )
    invalid = f"CASE WHEN {_is_number(cell)} THEN {literal(TOO_LONG)} ELSE {literal(SYNTAX[column.type])} END"
    return Conversion(value, invalid)


def _is_number(cell: str) -> str:
    return f"regexp_full_match({cell}, '{NUMBER}')"


def _boolean(column: Column, _: Dataset, names: Names) -> Conversion:
    true, false = (", ".join(map(literal, words)) for words in (TRUE, FALSE))
    word = f"lower({names.cell})"
    value = f"CASE WHEN {word} IN ({true}) THEN true WHEN {word} IN ({false}) THEN false END"
    return Conversion(value, literal(SYNTAX[column.type]))


def _date(column: Column, _: Dataset, names: Names) -> Conversion:
    day = f"TRY_CAST({names.cell} AS DATE)"
    value = f"CASE WHEN regexp_full_match({names.cell}, '{DAY}') AND {day} >= DATE '0001-01-01' THEN {day} END"
    return Conversion(value, literal(SYNTAX[column.type]))


def _timestamp(column: Column, dataset: Dataset, names: Names) -> Conversion:
    cell = names.cell
    is_local = f"regexp_full_match({cell}, '{LOCAL_TIME}')"
    local = f"TRY_CAST({cell} AS TIMESTAMP)"
    utc = local if dataset.timezone == "UTC" else f"from_local_{column.ambiguous}({local})"
    with_offset = f"timezone('UTC', TRY_CAST({cell} AS TIMESTAMPTZ))"
    is_day = f"regexp_full_match({cell}, '{DAY}')"  # a day alone is a time in CSV, which has no types
    value = (
        f"CASE WHEN {is_local} OR {names.kind} IS NULL AND {is_day} THEN {utc} WHEN {is_day} THEN NULL"
        f" WHEN regexp_full_match({cell}, '{TIME_WITH_OFFSET}') THEN {with_offset}"
        f" ELSE read_time_{column.ambiguous}({cell}) END"
    )
    problem = f"problem_time_{column.ambiguous}({cell})"
    return Conversion(
        f"CASE WHEN {value} {TIME_RANGE} THEN {value} END",
        f"CASE WHEN {names.kind} = 's' AND {is_day} THEN {literal(INVALID_TIME)} ELSE {problem} END",
    )


CONVERSIONS: dict[Type, Callable[[Column, Dataset, Names], Conversion]] = {
    "text": _text,
    "bigint": _whole,
    "integer": _whole,
    "double precision": _double,
    "numeric": _numeric,
    "boolean": _boolean,
    "date": _date,
    "timestamp with time zone": _timestamp,
}
