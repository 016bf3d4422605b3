"""Values that YAML 1.1 reads in an unexpected way are named with line and field."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from include.core.sources.errors import SourceError
from include.core.sources.files import parse_source
from tests.unit.sources.conftest import GOOD

PATH = Path("sources/orders.yaml")


@pytest.mark.parametrize(
    "value", ["2024-02-30", "2024-1-1", "2024-01-01T00:00:00", "20240101", "0", '"86400"', "2024-W01-1", "[2024]"]
)
def test_a_day_that_does_not_exist_is_named(value: str) -> None:
    with pytest.raises(SourceError, match=r"orders\.yaml:5: start_date: must be a day that exists, YYYY-MM-DD \(got "):
        parse_source(GOOD.replace("start_date: 2024-01-01", f"start_date: {value}"), PATH)


@pytest.mark.parametrize(
    "value", ["010", "-010", "0o10", "0x10", "0b11", "1_000", "1:30", "1_0.5", "1:30.5", ".inf", "9" * 5000]
)
def test_a_number_that_is_not_decimal_is_named(value: str) -> None:
    message = rf"orders\.yaml:14: columns\.id\.minimum: Input should be a valid number \(got '{re.escape(value[:70])}"
    with pytest.raises(SourceError, match=message):
        parse_source(GOOD.replace("minimum: 1", f"minimum: {value}"), PATH)
    with pytest.raises(SourceError, match=r"orders\.yaml:12: minimum_rows: Input should be a valid integer"):
        parse_source(GOOD.replace("minimum_rows: 0", f"minimum_rows: {value}"), PATH)


@pytest.mark.parametrize("value", ["yes", "no", "on", "Off"])
def test_a_boolean_is_true_or_false(value: str) -> None:
    message = rf"orders\.yaml:17: columns\.email\.pii: Input should be a valid boolean \(got '{value}'\)"
    with pytest.raises(SourceError, match=message):
        parse_source(GOOD.replace("pii: true", f"pii: {value}"), PATH)


def test_texts_stay_as_written() -> None:
    source = parse_source(GOOD.replace("[new, paid]", "[yes, no, 007, 1_000, 2024-02-30, 1:30]"), PATH)
    assert source.columns["state"].allowed == ("yes", "no", "007", "1_000", "2024-02-30", "1:30")


@pytest.mark.parametrize(("text", "value"), [("0.05", 0.05), (".05", 0.05), ("0", 0), ("5.0e-2", 0.05)])
def test_decimal_numbers_are_read(text: str, value: float) -> None:
    assert parse_source(GOOD.replace("max_bad_share: 0.1", f"max_bad_share: {text}"), PATH).max_bad_share == value
