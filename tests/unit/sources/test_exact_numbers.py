"""Numbers keep the digits that the API sent."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path
from typing import Any

import pytest

from include.core import exact_json
from include.core.sources.files import parse_source
from include.core.sources.rows import split_rows
from include.core.storage import json_lines

YAML = """\
name: numbers
description: A number of one type in each row.
owner: data-platform
schedule: "0 6 * * *"
start_date: 2024-01-01
path: /numbers
key: [id]
columns:
  id: {{type: integer}}
  v: {{type: {kind}{options}}}
"""


def convert(literal: str, kind: str, options: str = "") -> Any:
    """Return the value that a literal has in the table; ValueError with the reason if its row is rejected."""
    source = parse_source(YAML.format(kind=kind, options=options), Path("sources/numbers.yaml"))
    good, rejected = split_rows(source, dt.date(2024, 6, 1), [f'{{"id": 1, "v": {literal}}}'], "file")
    if rejected:
        raise ValueError(rejected[0].reason)
    return good[0]["v"]


@pytest.mark.parametrize(
    "literal",
    ["99999999999.123456789", "12345678901234567.89", "12345678901234567890", "0.10", "1E-7", "-0.0", "9" * 5000],
)
def test_a_literal_is_written_as_it_was_read(literal: str) -> None:
    text = f'{{"v": [{literal}, "é", null, true]}}'
    assert exact_json.dumps(exact_json.loads(text)) == text
    assert json_lines([exact_json.loads(text)]).decode() == text + "\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1e99999999999999999999", "1e9+ is out of range"),
        ("[" * 100_000, "nested more than 100 levels"),
        ("[" * 101 + "1" + "]" * 101, "nested more than 100 levels"),  # Python's own limit is higher
    ],
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
        ("100000000000000000000000000000", "100000000000000000000000000000"),
        ("0.1234567891", "0.1234567891"),
    ],
)
def test_a_decimal_is_exact(literal: str, exact: str) -> None:
    assert convert(literal, "decimal") == exact


@pytest.mark.parametrize("literal", ["9007199254740993", "9007199254740993.0", "9.007199254740993e15"])
def test_an_integer_is_exact(literal: str) -> None:
    assert convert(literal, "integer") == 9007199254740993


@pytest.mark.parametrize(
    ("literal", "kind", "message"),
    [
        ("1e131072", "decimal", "must have at most 131072 digits before the point, 16383 after it (got 1E+131072)"),
        ("1e400000000", "decimal", "must have at most 131072 digits before the point"),
        ("1e-16384", "decimal", "must have at most 131072 digits before the point, 16383 after it"),
        ('"1_000"', "decimal", "must be a decimal number, such as 1234.5 (got '1_000')"),
        ("1e400000000", "integer", "must fit into 64 bits (got 1E+400000000)"),
        ("9223372036854775808", "integer", "must fit into 64 bits"),
        ("9007199254740993.5", "integer", "must be a whole number (got 9007199254740993.5)"),
        ("1e400", "number", "must be a finite number (got 1E+400)"),
        ("9" * 400, "number", "must be a finite number"),
    ],
)
def test_a_number_that_does_not_fit_is_named(literal: str, kind: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"v: {message}") if "must" in message else re.escape(message)):
        convert(literal, kind)


def test_a_bound_is_the_number_that_the_yaml_has() -> None:
    assert convert("0.1", "decimal", ", minimum: 0.1, maximum: 0.1") == "0.1"
    assert convert("0.1000000000000000000000000000", "decimal", ", minimum: 0.1, maximum: 0.1")
    for literal in ("0.099999999", "0.09999999999999999999999999"):
        with pytest.raises(ValueError, match=r"must be at least 0\.1"):
            convert(literal, "decimal", ", minimum: 0.1")
