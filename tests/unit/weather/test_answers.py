"""Reading recorded answers, and answers that are not as they should be."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from include.core.warehouse.dataset import Rejected
from include.domains.weather import open_meteo, openweathermap
from include.domains.weather.cities import City, load_cities
from include.domains.weather.conditions import Conditions
from include.domains.weather.observations import Answer, Observation, Record, split

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLES = Path(__file__).parents[3] / "include/data/api_samples"
NEW_YORK, LONDON, TOKYO = load_cities()
ENSCHEDE = City(name="Enschede", latitude=52.2183, longitude=6.8958)
DAY = dt.date(2024, 6, 1)


def answer(content: object, *cities: City) -> Answer:
    return Answer(cities=cities, url="http://api.test/v1/archive", body=json.dumps(content))


def location(city: City, **changes: Any) -> dict[str, Any]:
    daily = {"time": ["2024-06-01"], "temperature_2m_mean": [15.3], "weather_code": [61]}
    units = {"time": "iso8601", "temperature_2m_mean": "°C", "weather_code": "wmo code"}
    return {"latitude": city.latitude, "longitude": city.longitude, "daily_units": units, "daily": daily | changes}


def names(records: Iterable[Record]) -> list[str]:
    return [record.city for record in records if isinstance(record, Observation)]


def test_a_recorded_forecast_of_open_meteo() -> None:
    recorded = (SAMPLES / "openmeteo/forecast_enschede_2026-10-03_subset.json").read_text(encoding="utf-8")
    observations, rejected = split(open_meteo.read(Answer(cities=(ENSCHEDE,), url="", body=recorded)))
    assert [(one.date.isoformat(), one.temperature_c, one.conditions) for one in observations] == [
        ("2026-10-03", 14.2, "Overcast"),
        ("2026-10-04", 14.7, "Fog"),
        ("2026-10-05", 15.8, "Overcast"),
    ]
    assert {one.source for one in observations} == {"open_meteo"}
    assert rejected == []


def test_a_recorded_forecast_without_the_daily_mean_is_rejected() -> None:
    recorded = (SAMPLES / "openmeteo/forecast_london_2026-07-02.json").read_text(encoding="utf-8")
    [record] = open_meteo.read(Answer(cities=(LONDON,), url="", body=recorded))
    assert isinstance(record, Rejected)
    assert record.reason == "daily, daily_units: time, temperature_2m_mean or weather_code is missing"


def test_a_recorded_timemachine_of_openweather_is_in_kelvin_without_units() -> None:
    recorded = (SAMPLES / "openweathermap/onecall3_timemachine_2024-10-19.json").read_text(encoding="utf-8")
    [record] = openweathermap.read(Answer(cities=(NEW_YORK,), url="", body=recorded))
    assert record == Observation(
        date=dt.date(2020, 5, 11),
        city="New York",
        temperature_c=289.88,
        conditions=Conditions.PARTLY_CLOUDY,
        source="openweathermap",
    )


@pytest.mark.parametrize(
    ("cities", "expected"),
    [
        ([NEW_YORK, LONDON, TOKYO], ["New York", "London", "Tokyo"]),
        ([LONDON, TOKYO], ["London", "Tokyo"]),
        ([TOKYO], ["Tokyo"]),
        ([TOKYO, NEW_YORK, LONDON], ["Tokyo", "New York", "London"]),
        ([TOKYO, NEW_YORK, NEW_YORK, LONDON], ["Tokyo", "New York", "New York", "London"]),
        ([], []),
    ],
)
def test_an_answer_is_matched_to_the_city_asked_for(cities: list[City], expected: list[str]) -> None:
    content = [location(city) for city in cities]
    assert names(open_meteo.read(answer(content, NEW_YORK, LONDON, TOKYO))) == expected


def test_neighbours_in_one_grid_cell_are_told_apart_by_their_place() -> None:
    one, other = (City(name=name, latitude=35.6, longitude=139.7) for name in ("Shinjuku", "Shibuya"))
    assert names(open_meteo.read(answer([location(one), location(other)], one, other))) == ["Shinjuku", "Shibuya"]


def test_the_date_line_is_no_border() -> None:
    suva = City(name="Fiji", latitude=-17.0, longitude=179.9)
    assert names(open_meteo.read(answer(location(suva) | {"longitude": -179.95}, suva))) == ["Fiji"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (location(TOKYO), "latitude, longitude: within 1° of no city that was asked for: London (51.5085, -0.1257)"),
        (location(LONDON) | {"latitude": None}, "latitude, longitude: within 1° of no city"),
        ("sunny", "answer: expected an object for a location, got str"),
        (
            location(LONDON) | {"daily": None},
            "daily, daily_units: time, temperature_2m_mean or weather_code is missing",
        ),
        (
            location(LONDON, weather_code=[1, 2]),
            "daily: time, temperature_2m_mean and weather_code must be lists of the same",
        ),
        (
            location(LONDON) | {"daily_units": {"temperature_2m_mean": "°F"}},
            "daily_units.temperature_2m_mean: '°F' instead",
        ),
        (location(LONDON, time=["01.06.2024"]), "Invalid isoformat string: '01.06.2024'"),
        (location(LONDON, time=[None]), "fromisoformat: argument must be str"),
        (location(LONDON, weather_code=[4]), "weather_code 4 is unknown"),
        (location(LONDON, temperature_2m_mean=[None]), "temperature_c: Input should be a valid number (got None)"),
        (location(LONDON, temperature_2m_mean=["15.3"]), "temperature_c: Input should be a valid number (got '15.3')"),
        (location(LONDON, temperature_2m_mean=[True]), "temperature_c: Input should be a valid number (got True)"),
        (
            location(LONDON, temperature_2m_mean=[float("nan")]),
            "temperature_c: Input should be a finite number (got nan)",
        ),
    ],
)
def test_a_record_of_open_meteo_that_cannot_be_used_has_a_reason(content: object, reason: str) -> None:
    [record] = open_meteo.read(answer(content, LONDON))
    assert isinstance(record, Rejected)
    assert record.reason.startswith(reason)


def reading(**changes: Any) -> dict[str, Any]:
    return {"data": [{"dt": 1717243200, "temp": 15.3, "weather": [{"id": 500}]} | changes]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "data: expected a list of readings"),
        ({"data": [3]}, "data: expected an object for a reading"),
        (reading(weather=[]), "data: dt, temp or weather[0].id is missing or of the wrong type"),
        (reading(dt="noon"), "data: dt, temp or weather[0].id is missing or of the wrong type"),
        (reading(dt=1e30), "data: "),
        (reading(weather=[{"id": 1}]), "data: weather[0].id 1 is unknown"),
        (reading(temp="15.3"), "temperature_c: Input should be a valid number (got '15.3')"),
        (reading(temp=float("nan")), "temperature_c: Input should be a finite number"),
    ],
)
def test_a_record_of_openweather_that_cannot_be_used_has_a_reason(content: object, reason: str) -> None:
    [record] = openweathermap.read(answer(content, LONDON))
    assert isinstance(record, Rejected)
    assert record.reason.startswith(reason)


def test_both_apis_give_the_same_observation_but_for_its_source() -> None:
    [one] = open_meteo.read(answer(location(LONDON), LONDON))
    [other] = openweathermap.read(answer(reading(), LONDON))
    assert isinstance(one, Observation)
    assert isinstance(other, Observation)
    assert one.model_dump(exclude={"source"}) == other.model_dump(exclude={"source"})


@pytest.mark.parametrize(("age", "endpoint"), [(1, "forecast"), (5, "forecast"), (6, "archive"), (9000, "archive")])
def test_an_old_day_comes_from_the_archive(age: int, endpoint: str) -> None:
    assert open_meteo.endpoint(DAY, DAY + dt.timedelta(days=age)) == endpoint


def test_openweather_is_asked_for_noon_utc_in_celsius() -> None:
    assert openweathermap.parameters(LONDON, DAY) == {
        "lat": "51.5085", "lon": "-0.1257", "dt": "1717243200", "units": "metric",
    }  # fmt: skip
