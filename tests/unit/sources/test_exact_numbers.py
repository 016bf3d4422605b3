"""Numbers keep the digits that the API sent."""

from __future__ import annotations

from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from include.core import exact_json
from include.core.sources.model import ColumnContract
from include.core.sources.values import InvalidValueError, convert
from include.core.storage import json_lines

UTC = ZoneInfo("UTC")


def column(kind: str, **options: object) -> ColumnContract:
    return ColumnContract.model_validate({"type": kind, **options})


@pytest.mark.parametrize(
    "literal",
    ["99999999999.123456789", "12345678901234567.89", "12345678901234567890", "0.10", "1E-7", "-0.0", "9" * 5000],
)
def test_a_literal_is_written_as_it_was_read(literal: str) -> None:
    text = f'{{"v": [{literal}, "é", null, true]}}'
    assert exact_json.dumps(exact_json.loads(text)) == text
    assert json_lines([exact_json.loads(text)]).decode() == text + "\n"


@pytest.mark.parametrize(
    ("text", "message"), [("1e99999999999999999999", "1e9+ is out of range"), ("[" * 100_000, "nested too deeply")]
)
def test_what_cannot_be_held_is_named(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        exact_json.loads(text)


@pytest.mark.parametrize(
    ("literal", "exact"),
    [
        ("99999999999.123456789", "99999999999.123456789"),
        ("12345678901234567.89", "12345678901234567.89"),
        ("12345678901234567890", "12345678901234567890"),
        ('"12345678901234567890.5"', "12345678901234567890.5"),
        ("99999999999999999999999999999.999999999", "99999999999999999999999999999.999999999"),
    ],
)
def test_a_decimal_is_exact(literal: str, exact: str) -> None:
    assert convert(exact_json.loads(literal), column("decimal"), UTC) == Decimal(exact)


@pytest.mark.parametrize("literal", ["9007199254740993", "9007199254740993.0", "9.007199254740993e15"])
def test_an_integer_is_exact(literal: str) -> None:
    assert convert(exact_json.loads(literal), column("integer"), UTC) == 9007199254740993


@pytest.mark.parametrize(
    ("literal", "kind", "message"),
    [
        ("100000000000000000000000000000", "decimal", "at most 29 digits before the point"),
        ("1e400000000", "decimal", "at most 29 digits before the point"),
        ("0.1234567891", "decimal", "at most 9 digits after the point"),
        ('"1_000"', "decimal", "must be a decimal number, such as 1234.5 (got '1_000')"),
        ("1e400000000", "integer", "must fit into 64 bits (got 1E+400000000)"),
        ("9223372036854775808", "integer", "must fit into 64 bits"),
        ("9007199254740993.5", "integer", "must be a whole number (got 9007199254740993.5)"),
        ("1e400", "number", "must be a finite number (got 1E+400)"),
        ("9" * 400, "number", "must be a finite number"),
    ],
)
def test_a_number_that_does_not_fit_is_named(literal: str, kind: str, message: str) -> None:
    with pytest.raises(InvalidValueError) as caught:
        convert(exact_json.loads(literal), column(kind), UTC)
    assert message in str(caught.value)


def test_a_bound_is_the_number_that_the_yaml_has() -> None:
    assert convert(Decimal("0.1"), column("decimal", minimum=0.1, maximum=0.1), UTC) == Decimal("0.1")
    with pytest.raises(InvalidValueError, match=r"must be at least 0\.1"):
        convert(Decimal("0.099999999"), column("decimal", minimum=0.1), UTC)
