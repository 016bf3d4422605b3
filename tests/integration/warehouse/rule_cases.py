"""A dataset with every kind of rule, and for each kind rows that break it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

from include.core.warehouse.dataset import Column, Dataset

DAY = dt.date(2024, 6, 1)
ORDERS = Dataset(
    name="orders",
    columns=(
        Column("day", "date"),
        Column("id", "bigint", minimum=-(2**53), maximum=2**53),
        Column("code", "text", pattern=r"[A-Z]{2}\\\d\S.?"),
        Column("state", "text", allowed=("new", "100%", "it's")),
        Column("price", "numeric", minimum=0.1, maximum=0.3),
        Column("weight", "double precision", minimum=-1.5, maximum=0.1),
        Column("ordered_at", "timestamp with time zone"),
        Column("paid_on", "date", nullable=True),
        Column("paid_at", "timestamp with time zone", nullable=True),
        Column("limit", "double precision", nullable=True),
    ),
    key=("day", "id"),
    partition="day",
    day_column="ordered_at",
    timezone="America/New_York",
    rules=("paid_at >= ordered_at", "price >= limit", "price >= 1 unless code starts with A"),
)
ORDER: dict[str, Any] = {
    "day": DAY,
    "id": 1,
    "code": r"AB\1x",
    "state": "100%",
    "price": Decimal("0.1"),
    "weight": 0.1,
    "ordered_at": dt.datetime(2024, 6, 2, 1, tzinfo=dt.UTC),  # still 1 June in New York
    "paid_on": None,
    "paid_at": None,
    "limit": None,
}
BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "null": ({"state": None}, "state is not null"),
    "below an exact minimum": ({"price": Decimal("0.09999999999999999999")}, "price is at least 0.1"),
    "above an exact maximum": ({"price": Decimal("0.30000000000000000001")}, "price is at most 0.3"),
    "above 2^53": ({"id": 2**53 + 1}, "id is at most 9007199254740992"),
    "below -2^53": ({"id": -(2**53) - 1}, "id is at least -9007199254740992"),
    "just above a double": ({"weight": 0.10000000000000002}, "weight is at most 0.1"),
    "below a double": ({"weight": -1.6}, "weight is at least -1.5"),
    "another word": ({"state": "its"}, "state is one of new, 100%, it's"),
    "a pattern": ({"code": "AB1"}, r"code matches [A-Z]{2}\\\d\S.?"),
    "a digit that isn't ASCII": ({"code": "AB\\\u0661x"}, "code matches "),
    "a line feed for a dot": ({"code": "AB\\1x\n"}, "code matches "),
    "two lines": ({"code": "AB\\1x\nAB\\1x"}, "code matches "),
    "another day": (
        {"ordered_at": dt.datetime(2024, 6, 1, 3, tzinfo=dt.UTC)},
        "ordered_at is on the day in day (time zone America/New_York)",
    ),
    "before": ({"paid_at": dt.datetime(2024, 6, 2, 0, 59, tzinfo=dt.UTC)}, "paid_at: must be at least ordered_at"),
    "digits beyond a double": (
        {"price": Decimal("0.29999999999999999"), "limit": 0.3},
        "price: must be at least limit",
    ),
    "a rule for some rows": ({"code": r"BB\1x"}, "price: must be at least 1 unless code starts with A"),
}
UNREADABLE: dict[str, tuple[dict[str, Any], str]] = {
    "a day without an end": ({"paid_on": "infinity"}, "paid_on is in the years 1 to 9999"),
    "a day before Christ": ({"paid_on": "0044-03-15 BC"}, "paid_on is in the years 1 to 9999"),
    "a year of five digits": ({"paid_on": "10000-01-01"}, "paid_on is in the years 1 to 9999"),
    "a time without a start": ({"paid_at": "-infinity"}, "paid_at is in the years 1 to 9999"),
    "a late time": ({"paid_at": "10000-01-01 00:00+00"}, "paid_at is in the years 1 to 9999"),
    "infinite": ({"weight": float("inf")}, "weight is a finite number"),
    "not a number": ({"price": Decimal("NaN")}, "price is a finite number"),
}
