"""The rules of a dataset hold in the stage too, and no message or quarantined row shows personal data."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pytest

from include.core.warehouse.attempt import Attempt
from include.core.warehouse.dataset import HIDDEN, Column, Dataset
from include.core.warehouse.errors import AuditError
from include.core.warehouse.loader import load
from include.core.warehouse.quarantine import storable_value
from include.core.warehouse.schema import create_table

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

DAY = dt.date(2024, 6, 1)
CALLS = Dataset(
    name="calls",
    columns=(
        Column("day", "date"),
        Column("id", "bigint"),
        Column("at", "timestamp with time zone"),
        Column("until", "timestamp with time zone", nullable=True),
        Column("price", "numeric", nullable=True),
        Column("kind", "text", nullable=True),
        Column("phone", "text", nullable=True, pii=True),
    ),
    key=("day", "id"),
    partition="day",
    day_column="at",
    timezone="America/New_York",
    rules=("until >= at", "price >= 0 unless kind starts with A"),
)


def call(number: int, **changes: Any) -> dict[str, Any]:
    at = dt.datetime(2024, 6, 2, 1, tzinfo=dt.UTC)  # still 1 June in New York
    row = {"day": DAY, "id": number, "at": at, "until": None, "price": None, "kind": None, "phone": "+44 20 7946 0958"}
    return row | changes


def publish(session: Session, *rows: dict[str, Any]) -> Any:
    create_table(session, CALLS)
    return load(session, CALLS, partition=DAY, rows=rows, attempt=Attempt("dag", "load", "run", 1))


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        (
            {"at": dt.datetime(2024, 6, 1, 3, tzinfo=dt.UTC)},
            "at is on the day in day (time zone America/New_York): 1 row(s)",
        ),
        ({"until": dt.datetime(2024, 6, 2, 0, 59, tzinfo=dt.UTC)}, "until: must be at least at: 1 row(s)"),
        ({"price": -1, "kind": "B"}, "price: must be at least 0 unless kind starts with A: 1 row(s)"),
        ({"price": -1}, "price: must be at least 0 unless kind starts with A: 1 row(s)"),
    ],
)
def test_a_row_that_breaks_a_rule_refuses_the_load(session: Session, changes: dict[str, Any], rule: str) -> None:
    with pytest.raises(AuditError) as caught:
        publish(session, call(1), call(2, **changes))
    assert rule in str(caught.value)
    assert "7946" not in str(caught.value)
    assert HIDDEN in str(caught.value)


def test_rows_that_satisfy_the_rules_are_loaded(session: Session) -> None:
    at = dt.datetime(2024, 6, 2, 1, tzinfo=dt.UTC)
    result = publish(session, call(1), call(2, until=at), call(3, price=-1, kind="A1"), call(4, price=0, kind="B"))
    assert result.loaded == 4


def test_a_row_refused_in_the_stage_shows_no_personal_data(session: Session) -> None:
    result = publish(session, call(1), call(2, kind="a\0b"))
    assert (result.loaded, result.quarantined) == (1, 1)
    [(row,)] = session.execute("SELECT source_row FROM quarantine").fetchall()
    assert isinstance(row, dict)
    assert (row["id"], row["kind"], row["phone"]) == (2, r"a\x00b", HIDDEN)


def test_a_value_that_postgresql_refuses_is_not_shown(session: Session) -> None:
    with pytest.raises(
        AuditError, match=r"each value matches its column's type and constraints \(.*\).*\n +COPY stage, line 2"
    ) as caught:
        publish(session, call(1), call(2, price="+44 20 7946 0958"))
    assert "7946" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"day_column": "nothing"}, "day_column names 'nothing'"),
        ({"day_column": "kind"}, "day_column 'kind' has type 'text'; allowed: "),
        ({"partition": None}, "day_column 'at' needs a partition of type 'date'"),
        ({"timezone": "Mars/Base"}, "timezone or rules: .*Mars/Base"),
        ({"rules": ("until >= never",)}, "timezone or rules: 'never' isn't one of the columns"),
    ],
)
def test_an_invalid_declaration_is_named(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"dataset 'calls': {message}"):
        Dataset(**vars(CALLS) | changes)


def test_a_row_nested_too_deeply_is_shortened() -> None:
    deep: Any = "value"
    for _ in range(5000):
        deep = [deep]
    assert "nested too deeply" in str(storable_value({"row": deep}))
