from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.core.warehouse.quarantine import storable_json, storable_value
from include.core.warehouse.storable import storable_text


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({"a": [1, 2.5, True, None]}, {"a": [1, 2.5, True, None]}),
        ({"nan": float("nan"), "low": float("-inf")}, {"nan": "nan", "low": "-inf"}),
        ((Decimal("1.50"), datetime(2024, 6, 1, tzinfo=UTC)), ["1.50", "2024-06-01 00:00:00+00:00"]),
        ({7: b"\x00", "a\0b": "\ud83c"}, {"7": "b'\\x00'", "a\\x00b": "\\ud83c"}),
    ],
)
def test_every_value_of_a_row_has_a_jsonb_form(value: object, stored: object) -> None:
    assert storable_value(value) == stored
    assert json.loads(storable_json({"row": value})) == {"row": stored}
    json.dumps(stored, allow_nan=False).encode()


@given(st.text())
def test_ordinary_text_is_unchanged(text: str) -> None:
    assert storable_text(text) == text.replace("\0", "\\x00")
