"""Reading recorded responses, and invalid ones."""

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
from include.domains.weather.observations import Observation, Record, Response, split

if TYPE_CHECKING:
    from collections.abc import Iterable

SAMPLES = Path(__file__).parents[3] / "include/data/api_samples"
NEW_YORK, LONDON, TOKYO = load_cities()
ENSCHEDE = City(name="Enschede", latitude=52.2183, longitude=6.8958)
DAY = dt.date(2024, 6, 1)


def response(content: object, *cities: City) -> Response:
    return Response(cities=cities, url="http://api.test/v1/archive", body=json.dumps(content))


def location(city: City, **changes: Any) -> dict[str, Any]:
    daily = {"time": ["2024-06-01"], "temperature_2m_mean": [15.3], "weather_code": [61]}
    units = {"time": "iso8601", "temperature_2m_mean": "°C", "weather_code": "wmo code"}
    return {"latitude": city.latitude, "longitude": city.longitude, "daily_units": units, "daily": daily | changes}


def names(records: Iterable[Record]) -> list[str]:
    return [record.city for record in records if isinstance(record, Observation)]


def test_a_recorded_forecast_of_open_meteo() -> None:
    recorded = (SAMPLES / "openmeteo/forecast_enschede_2026-10-03_subset.json").read_text(encoding="utf-8")
    observations, rejected = split(open_meteo.read(Response(cities=(ENSCHEDE,), url="", body=recorded)))
    assert [(item.date.isoformat(), item.temperature_c, item.conditions) for item in observations] == [
        ("2026-10-03", 14.2, "Overcast"),
        ("2026-10-04", 14.7, "Fog"),
        ("2026-10-05", 15.8, "Overcast"),
    ]
    assert {item.source for item in observations} == {"open_meteo"}
    assert rejected == []


def test_a_recorded_forecast_without_the_daily_mean_is_rejected() -> None:
    recorded = (SAMPLES / "openmeteo/forecast_london_2026-07-02.json").read_text(encoding="utf-8")
    [record] = open_meteo.read(Response(cities=(LONDON,), url="", body=recorded))
    assert isinstance(record, Rejected)
    assert record.reason == "daily, daily_units: time, temperature_2m_mean or weather_code is missing"


def test_a_recorded_timemachine_of_openweather_is_in_kelvin_without_units() -> None:
    recorded = (SAMPLES / "openweathermap/onecall3_timemachine_2024-10-19.json").read_text(encoding="utf-8")
    [record] = openweathermap.read(Response(cities=(NEW_YORK,), url="", body=recorded))
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
def test_a_response_is_matched_to_the_requested_city(cities: list[City], expected: list[str]) -> None:
    content = [location(city) for city in cities]
    assert names(open_meteo.read(response(content, NEW_YORK, LONDON, TOKYO))) == expected


def test_neighbours_in_one_grid_cell_are_distinguished_by_order() -> None:
    a, b = (City(name=name, latitude=35.6, longitude=139.7) for name in ("Shinjuku", "Shibuya"))
    assert names(open_meteo.read(response([location(a), location(b)], a, b))) == ["Shinjuku", "Shibuya"]


def test_cities_are_matched_across_the_date_line() -> None:
    suva = City(name="Fiji", latitude=-17.0, longitude=179.9)
    assert names(open_meteo.read(response(location(suva) | {"longitude": -179.95}, suva))) == ["Fiji"]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (location(TOKYO), "latitude, longitude: not within 1° of a requested city: London (51.5085, -0.1257)"),
        (location(LONDON) | {"latitude": None}, "latitude, longitude: not within 1° of a requested city"),
        ("sunny", "response: expected an object for a location, got str"),
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
def test_an_invalid_record_of_open_meteo_has_a_reason(content: object, reason: str) -> None:
    [record] = open_meteo.read(response(content, LONDON))
    assert isinstance(record, Rejected)
    assert record.reason.startswith(reason)


def reading(**changes: Any) -> dict[str, Any]:
    return {"data": [{"dt": 1717243200, "temp": 15.3, "weather": [{"id": 500}]} | changes]}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ([], "data: expected a list of readings"),
        ({"data": [3]}, "data: expected an object for each reading"),
        (reading(weather=[]), "data: dt, temp or weather[0].id is missing or of the wrong type"),
        (reading(dt="noon"), "data: dt, temp or weather[0].id is missing or of the wrong type"),
        (reading(dt=1e30), "data: "),
        (reading(weather=[{"id": 1}]), "data: weather[0].id 1 is unknown"),
        (reading(temp="15.3"), "temperature_c: Input should be a valid number (got '15.3')"),
        (reading(temp=float("nan")), "temperature_c: Input should be a finite number"),
    ],
)
def test_an_invalid_record_of_openweather_has_a_reason(content: object, reason: str) -> None:
    [record] = openweathermap.read(response(content, LONDON))
    assert isinstance(record, Rejected)
    assert record.reason.startswith(reason)


def test_both_apis_give_the_same_observation_except_its_source() -> None:
    [first] = open_meteo.read(response(location(LONDON), LONDON))
    [second] = openweathermap.read(response(reading(), LONDON))
    assert isinstance(first, Observation)
    assert isinstance(second, Observation)
    assert first.model_dump(exclude={"source"}) == second.model_dump(exclude={"source"})


@pytest.mark.parametrize(("age", "endpoint"), [(1, "forecast"), (5, "forecast"), (6, "archive"), (9000, "archive")])
def test_an_old_day_comes_from_the_archive(age: int, endpoint: str) -> None:
    assert open_meteo.endpoint(DAY, DAY + dt.timedelta(days=age)) == endpoint


def test_openweather_is_queried_for_noon_utc_in_celsius() -> None:
    assert openweathermap.parameters(LONDON, DAY) == {
        "lat": "51.5085", "lon": "-0.1257", "dt": "1717243200", "units": "metric",
    }  # fmt: skip
