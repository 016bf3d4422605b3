"""The audit in the stage has every rule of the dataset; what it refuses, the validation rejects as well."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from include.core.warehouse.attempt import Attempt
from include.core.warehouse.errors import AuditError
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from include.core.warehouse.validation.json_lines import JsonLines
from include.core.warehouse.validation.validate import validated
from tests.integration.warehouse.rule_cases import BROKEN, DAY, ORDER, ORDERS, UNREADABLE

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session


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
