"""The audit in the stage has every rule of the dataset; what it refuses, the validation rejects as well."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from include.core.warehouse.attempt import Attempt
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.errors import AuditError
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from include.core.warehouse.validation.json_lines import JsonLines
from include.core.warehouse.validation.validate import validated

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

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


def publish(session: Session, *rows: dict[str, Any]) -> Any:
    create_table(session, ORDERS)
    return load(session, ORDERS, partition=DAY, rows=rows, attempt=Attempt("dag", "load", "run", 1))


@pytest.mark.parametrize("case", [*BROKEN, *UNREADABLE])
def test_a_row_that_breaks_a_rule_is_refused_in_the_stage(session: Session, case: str) -> None:
    changes, rule = {**BROKEN, **UNREADABLE}[case]
    with pytest.raises(AuditError) as caught:
        publish(session, ORDER, ORDER | {"id": 2} | changes)
    rules = {violation.rule: violation.rows for violation in caught.value.violations}
    assert [rows for text, rows in rules.items() if text.startswith(rule)] == [1], rules


def test_rows_that_satisfy_the_rules_are_loaded(session: Session) -> None:
    first, last = dt.date(1, 1, 1), dt.date(9999, 12, 31)
    rows = [
        ORDER,
        ORDER | {"id": -(2**53), "price": Decimal("0.3"), "limit": 0.3, "paid_at": ORDER["ordered_at"]},
        ORDER | {"id": 2**53, "paid_on": first, "code": "AA\\0\u00a0", "state": "it's", "weight": -1.5},
        ORDER | {"id": 3, "paid_on": last, "paid_at": dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC)},
    ]
    assert publish(session, *rows).loaded == 4


@pytest.mark.parametrize("case", BROKEN)
def test_the_validation_rejects_it_too(case: str) -> None:
    row = ORDER | BROKEN[case][0]
    lines = [json.dumps({name: value if value is None else _sent(value) for name, value in row.items()})]
    fields = {name: name for name in ORDERS.column_names}
    [judged] = validated(JsonLines(lambda: lines, ORDERS, fields, "file"), ORDERS, DAY)
    assert len(judged.rejected) == 1
    fine = [json.dumps({name: _sent(value) for name, value in ORDER.items() if value is not None})]
    [judged] = validated(JsonLines(lambda: fine, ORDERS, fields, "file"), ORDERS, DAY)
    assert not judged.rejected


def _sent(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.date) else str(value) if isinstance(value, Decimal) else value


def test_a_day_is_compared_with_the_partition(session: Session) -> None:
    shipped = replace(ORDERS, name="shipped", day_column="paid_on")
    create_table(session, shipped)
    for paid_on in (None, DAY - dt.timedelta(days=1)):
        with pytest.raises(AuditError, match=r"paid_on is on the day in day .*: 1 row"):
            load(
                session,
                shipped,
                partition=DAY,
                rows=[ORDER | {"paid_on": paid_on}],
                attempt=Attempt("dag", "load", "run", 1),
            )
