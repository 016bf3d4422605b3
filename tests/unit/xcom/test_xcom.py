"""A value that other tasks would receive changed is refused, with its place."""

from __future__ import annotations

import datetime as dt
import uuid
from collections import namedtuple
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.core.errors import PermanentError
from spellbook.xcom import XComChangedError, refuse_changed, refuse_large

Point = namedtuple("Point", "x y")  # what a driver may return
PADDING = "x" * 200_000
"""Makes a value so large that it is stored as a file."""


def check(value: Any) -> None:
    refuse_changed("return_value", value, refuse_large("return_value", value))


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"rows": [{"price": Decimal("1.10")}]}, r"return_value\['rows'\]\[0\]\['price'\]: a Decimal arrives changed"),
        (Decimal("0.1234567890123456789"), "return_value: a Decimal arrives changed"),
        ({1: "a", "1": "b"}, "return_value: the key 1 is of type int; keys must be strings"),
        ({"a": {None: 1}}, r"return_value\['a'\]: the key None is of type NoneType"),
        ([1.5, float("nan")], r"return_value\[1\]: nan is out of range; allowed: -9223"),
        ({"top": float("-inf")}, r"return_value\['top'\]: -inf is out of range"),
        ([np.float64("nan")], r"return_value\[0\]: nan is out of range"),
        (1e30, r"return_value: 1e\+30 is out of range"),
        ([2**63], r"return_value\[0\]: 9223372036854775808 is out of range"),
        (["a\0b"], r"return_value\[0\]: the text contains a NUL"),
        (["\ud83d"], r"return_value\[0\]: the text contains a NUL character or a lone surrogate"),
        ([Point(1, 2)], r"return_value\[0\]: a Point arrives changed"),
        ([PADDING, (1, 2)], r"return_value\[1\]: a tuple arrives as a list"),
        ({"a": object()}, "'return_value': .*object"),
        ({"__classname__": "a"}, "reserved key __classname__"),
    ],
)
def test_what_arrives_changed_is_refused(value: Any, message: str) -> None:
    with pytest.raises(XComChangedError, match=message) as caught:
        check(value)
    assert isinstance(caught.value, PermanentError)


@pytest.mark.parametrize(
    "value",
    [
        None, True, 0, -1.5, 2**63 - 1, "text", "🂡", "", [], {}, [None], {"a": {"b": [1, "2", 3.0]}},
        (1, "a"), [(1, "a"), (2, "b")], {1, 2}, frozenset({"a"}), Decimal(5), Decimal("1.5"),
        dt.datetime(2024, 6, 1, 12, tzinfo=dt.UTC), dt.date(2024, 6, 1), dt.timedelta(days=1),
        uuid.UUID(int=7), np.int64(3), np.float64(1.5), {"padding": PADDING, "rows": [[1, 2]]},
    ],
    ids=lambda value: f"{type(value).__name__} {value}"[:30],
)  # fmt: skip
def test_what_arrives_as_it_was_is_accepted(value: Any) -> None:
    check(value)


def test_a_frame_is_left_to_its_serializer() -> None:
    check({"frame": pd.DataFrame({"a": [1.5, None]})})
