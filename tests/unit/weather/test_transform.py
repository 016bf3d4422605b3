from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.domains.weather.cities import load_cities
from include.domains.weather.observations import RawWeather, Response
from include.domains.weather.transform import COLUMNS, records, to_fahrenheit, transform

DAY = dt.date(2024, 6, 1)
CITIES = load_cities()


def raw(*rows: tuple[int, object, object, str]) -> RawWeather:
    """One location for each (place in CITIES, temperature, code, day)."""
    content = [
        {
            "latitude": CITIES[place].latitude,
            "longitude": CITIES[place].longitude,
            "daily_units": {"temperature_2m_mean": "°C"},
            "daily": {"time": [day], "temperature_2m_mean": [temperature], "weather_code": [code]},
        }
        for place, temperature, code, day in rows
    ]
    return RawWeather(
        source="open_meteo",
        date=DAY,
        responses=(Response(cities=CITIES, url="http://api.test", body=json.dumps(content)),),
    )


@pytest.mark.parametrize(
    ("celsius", "fahrenheit"), [(0, 32), (100, 212), (-40, -40), (25.0, 77.0), (-90, -130), (60, 140)]
)
def test_celsius_to_fahrenheit(celsius: float, fahrenheit: float) -> None:
    assert to_fahrenheit(pd.Series([celsius], dtype=float))[0] == pytest.approx(fahrenheit)


def test_good_rows_are_in_fahrenheit_with_their_unit() -> None:
    frame, rejected = transform(raw((0, 25.0, 0, "2024-06-01"), (1, -40, 61, "2024-06-01"), (2, 0, 95, "2024-06-01")))
    assert list(frame.columns) == COLUMNS
    assert [tuple(row) for row in frame.itertuples(index=False)] == [
        (DAY, "New York", 77, "°F", "Clear", "open_meteo"),
        (DAY, "London", -40, "°F", "Rain", "open_meteo"),
        (DAY, "Tokyo", 32, "°F", "Thunderstorm", "open_meteo"),
    ]
    assert rejected == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((1, 60.1, 0, "2024-06-01"), "temperature: must be at most 140 (got 140.18)"),
        ((1, -90.1, 0, "2024-06-01"), "temperature: must be at least -130 (got -130.18)"),
        ((1, 20.0, 0, "2024-06-02"), "date: must be 2024-06-01 (got 2024-06-02)"),
        ((1, None, 0, "2024-06-01"), "temperature_c: Input should be a valid number (got None)"),
    ],
)
def test_a_bad_row_is_rejected_and_the_others_are_kept(row: tuple[int, object, object, str], reason: str) -> None:
    frame, rejected = transform(raw((0, 20.0, 0, "2024-06-01"), row, (2, 20.0, 0, "2024-06-01")))
    assert list(frame["city"]) == ["New York", "Tokyo"]
    assert [record.reason for record in rejected] == [reason]
    assert rejected[0].row["city"] == "London"


def test_every_reason_to_reject_a_row_is_listed() -> None:
    _, [record] = transform(raw((1, 99.0, 0, "2024-06-02")))
    assert record.reason.split("; ") == [
        "date: must be 2024-06-01 (got 2024-06-02)",
        "temperature: must be at most 140 (got 210.2)",
    ]


def test_of_equal_rows_one_is_kept() -> None:
    frame, rejected = transform(raw(*[(0, 20.0, 0, "2024-06-01")] * 3))
    assert len(frame) == 1
    assert [record.reason for record in rejected] == ["city: copy of line 1, which is loaded"] * 2


def test_rows_that_contradict_each_other_are_all_rejected() -> None:
    same = (0, 20.0, 0, "2024-06-01")
    frame, rejected = transform(raw(same, same, (0, 21.0, 0, "2024-06-01"), (2, 5.0, 0, "2024-06-01")))
    assert list(frame["city"]) == ["Tokyo"]
    assert len(rejected) == 3
    assert {record.reason for record in rejected} == {"city: the lines 1, 2, 3 have the same key but different values"}


def test_an_empty_response_gives_an_empty_frame() -> None:
    frame, rejected = transform(raw())
    assert (len(frame), list(frame.columns), rejected) == (0, COLUMNS, [])


scalars = st.one_of(st.none(), st.booleans(), st.floats(), st.integers(), st.text(max_size=5), st.floats(-90, 60))
codes = st.one_of(st.sampled_from([0, 61, 95]), scalars)
days = st.sampled_from(["2024-06-01", "2024-06-02", "x"])
rows = st.lists(st.tuples(st.integers(0, 2), scalars, codes, days), max_size=8)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_no_row_is_lost_and_only_valid_rows_pass(drawn: list[tuple[int, Any, Any, str]]) -> None:
    raw_weather = raw(*drawn)
    frame, rejected = transform(raw_weather)
    assert len(frame) + len(rejected) == len(records(raw_weather)) >= len(drawn)
    assert all(record.reason for record in rejected)
    assert frame["temperature"].between(-130, 140).all()
    assert not frame.isna().any().any()
    assert set(frame["date"]) <= {DAY}
    assert all(times == 1 for times in Counter(frame["city"]).values())
    assert set(frame["temperature_unit"]) <= {"°F"}
