"""Rows that break a rule are refused with the whole load, and the earlier rows stay."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest

from include.core.warehouse.errors import AuditError, LoadError
from include.core.warehouse.loader import load
from tests.integration.warehouse.cases import (
    CITIES,
    DAY,
    FIRST,
    SECOND,
    WEATHER,
    count,
    observation,
    observations,
    published,
)

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

TOKYO = observation("Tokyo")
REFUSED = {
    "too cold": (TOKYO | {"temperature": -400}, r"temperature is at least -90: 1 row\(s\)\n.*Tokyo.*-400"),
    "too hot": (TOKYO | {"temperature": 212.0}, r"temperature is at most 60: 1 row\(s\)\n.*212"),
    "nan": (TOKYO | {"temperature": float("nan")}, r"temperature is a finite number: 1 row\(s\)\n.*NaN"),
    "infinite": (TOKYO | {"temperature": float("-inf")}, r"temperature is a finite number"),
    "null": (TOKYO | {"conditions": None}, r"conditions is not null: 1 row\(s\)\n.*Tokyo"),
    "another day": (TOKYO | {"date": DAY - timedelta(days=1)}, r"date is 2024-06-01: 1 row\(s\)\n.*2024-05-31"),
    "repeated key": (observation("London", 3), r"share the key \(date, city\): 2 row\(s\)\n.*London.*\n.*London"),
    "not asked for": (observation("Paris"), r"expected: London, New York, Tokyo: 1 row\(s\)\n.*Paris"),
    "text for a number": (TOKYO | {"temperature": "25,0"}, r'type .*"25,0".*\n.*line 3, column temperature'),
    "not a day": (TOKYO | {"date": "2024-02-30"}, r'type .*2024-02-30.*\n.*column date'),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_a_bad_row_refuses_the_whole_load(session: Session, case: str) -> None:
    bad, message = REFUSED[case]
    load(session, WEATHER, partition=DAY, rows=observations(temperature=7), attempt=FIRST, expected=CITIES)
    rows = [*observations("London", "New York", temperature=8), bad]
    with pytest.raises(AuditError, match=rf"weather_data, partition 2024-06-01: refused(.|\n)*{message}"):
        load(session, WEATHER, partition=DAY, rows=rows, attempt=SECOND, expected=CITIES)
    assert published(session) == dict.fromkeys(CITIES, 7)
    assert count(session, "load_log") == 1
    assert session.execute("SELECT try_number FROM load_fence").fetchall() == [(1,)]


def test_every_broken_rule_is_listed_with_the_first_rows(session: Session) -> None:
    rows = [observation(f"City {number}", 99) for number in range(12)] + [observation("Nowhere", None)]
    with pytest.raises(AuditError) as refused:
        load(session, WEATHER, partition=DAY, rows=rows, attempt=FIRST)
    violations = [(violation.rule, violation.rows, len(violation.examples)) for violation in refused.value.violations]
    assert violations == [("temperature is not null", 1, 1), ("temperature is at most 60", 12, 5)]
    assert "... and 7 more" in str(refused.value)


def test_missing_values_of_a_frame_are_null(session: Session) -> None:
    frame = pd.DataFrame([*observations("London"), observation("Tokyo", None)])
    with pytest.raises(AuditError, match=r"temperature is not null: 1 row"):
        load(session, WEATHER, partition=DAY, rows=frame, attempt=FIRST)


def test_an_empty_response_is_refused(session: Session) -> None:
    load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
    with pytest.raises(AuditError, match=r"at least 1 row\(s\) are expected: 0"):
        load(session, WEATHER, partition=DAY, rows=[], attempt=FIRST)
    assert count(session, "weather_data") == 3


def test_a_wrong_number_of_rows_is_refused(session: Session) -> None:
    with pytest.raises(AuditError, match=r"exactly 4 row\(s\) are expected: 3"):
        load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected_rows=4)
    assert load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST, expected_rows=3).complete


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (observation("Tokyo") | {"humidity": 3}, r"row 2: missing columns: \[\]; undeclared columns: \['humidity'\]"),
        ({"city": "Tokyo"}, r"row 2: missing columns: \['conditions', 'date', 'temperature'\]"),
    ],
)
def test_rows_must_have_the_declared_columns(session: Session, row: dict[str, object], message: str) -> None:
    with pytest.raises(LoadError, match=message):
        load(session, WEATHER, partition=DAY, rows=[observation("London"), row], attempt=FIRST)
    assert count(session, "weather_data") == 0


def test_rows_discarded_by_a_trigger_are_detected(session: Session) -> None:
    session.execute(
        "CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF new.city = 'Tokyo' THEN RETURN NULL; END IF; RETURN new; END $$;"
        "CREATE TRIGGER swallow BEFORE INSERT ON weather_data FOR EACH ROW EXECUTE FUNCTION swallow()"
    )
    with pytest.raises(LoadError, match=r"3 row.* received, but 2 loaded and 0 quarantined"):
        load(session, WEATHER, partition=DAY, rows=observations(), attempt=FIRST)
    assert count(session, "weather_data") == 0
