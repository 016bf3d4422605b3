from __future__ import annotations

import json
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

import pytest
import requests

from devstack.upstreams import replay
from devstack.upstreams.records import DATA
from include.core.replay import HEADER

SAMPLES = DATA / "api_samples" / "openweathermap"
JUNE_1_NOON = "1717243200"
NOT_RECORDED = {"rain", "deg", "gust", "type", "wind_deg", "wind_gust"}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


@pytest.fixture
def key() -> str:
    return uuid4().hex


def get(upstreams: str, path: str, **query: str) -> requests.Response:
    return requests.get(upstreams + path, params=query, timeout=10)


def weather(upstreams: str, **query: str) -> requests.Response:
    return get(upstreams, "/data/2.5/weather", **query)


def timemachine(upstreams: str, **query: str) -> requests.Response:
    return get(upstreams, "/data/3.0/onecall/timemachine", **query)


def shape(value: Any, inside: str = "") -> Any:
    """Keys in order and types, without the optional ones; integers count as floats."""
    if isinstance(value, dict):
        left_out = NOT_RECORDED | ({"id"} if inside == "sys" else set())
        return [(key, shape(part, key)) for key, part in value.items() if key not in left_out]
    if isinstance(value, list):
        return [shape(part, inside) for part in value]
    return float if isinstance(value, int | float) else type(value)


def test_weather_has_keys_order_and_types_of_the_recorded_response(upstreams: str, key: str) -> None:
    response = weather(upstreams, q="London", appid=key)
    recorded, served = sample("weather_london_2020-04-28.json"), response.json()
    assert shape(served) == shape(recorded)
    assert [type(served[name]) for name in ("cod", "dt", "id", "timezone")] == [int] * 4
    assert [type(served["main"][name]) for name in ("pressure", "humidity")] == [int] * 2
    assert served["id"] == recorded["id"]
    assert response.headers["x-sample-data"] == "recorded; see /about"


def test_timemachine_has_keys_order_and_types_of_the_recorded_response(upstreams: str, key: str) -> None:
    served = timemachine(upstreams, lat="40.7", lon="-74", dt=JUNE_1_NOON, appid=key).json()
    assert shape(served) == shape(sample("onecall3_timemachine_2024-10-19.json"))
    assert served["timezone_offset"] == -14400
    assert served["data"][0]["dt"] == int(JUNE_1_NOON)


def test_units(upstreams: str, key: str) -> None:
    dec_31 = {"lat": "51.5", "lon": "0", "dt": "1735646400", "appid": key}
    temperatures, speeds = {}, {}
    for units in ("standard", "metric", "imperial"):
        [served] = timemachine(upstreams, **dec_31, units=units).json()["data"]
        temperatures[units], speeds[units] = served["temp"], served["wind_speed"]
    assert temperatures == {"standard": 283.12, "metric": 9.97, "imperial": 49.95}
    assert speeds == {"standard": 5.66, "metric": 5.66, "imperial": 12.66}
    assert timemachine(upstreams, **dec_31).json()["data"][0]["temp"] == temperatures["standard"]


def test_the_current_weather_is_todays(upstreams: str, key: str) -> None:
    current = weather(upstreams, q="London", appid=key)
    moment = str(current.json()["dt"])
    past = timemachine(upstreams, lat="51.5", lon="0", dt=moment, appid=key)
    assert datetime.fromtimestamp(int(moment), UTC).date() == replay.today()
    assert current.json()["main"]["temp"] == past.json()["data"][0]["temp"]
    assert current.headers[HEADER] == past.headers[HEADER] == f"2024-{replay.today():%m-%d}"


@pytest.mark.parametrize(
    "query",
    [
        {"q": "new york"},
        {"q": "New York,US"},
        {"q": "New York,NY,US"},
        {"id": "5128581"},
        {"lat": "40.7", "lon": "-74"},
    ],
)
def test_a_city_is_identified_by_name_id_or_coordinates(upstreams: str, key: str, query: dict[str, str]) -> None:
    assert weather(upstreams, appid=key, **query).json()["name"] == "New York"


def test_uk_is_accepted_for_gb(upstreams: str, key: str) -> None:
    assert weather(upstreams, appid=key, q="London,uk").json()["sys"]["country"] == "GB"


def recorded_error(status: int) -> Any:
    return next(error["body"] for error in sample("errors.json")["errors"] if error["status"] == status)


@pytest.mark.parametrize("appid", ["", "wrong", "z" * 32])
def test_401_has_an_integer_cod(upstreams: str, appid: str) -> None:
    response = weather(upstreams, q="London", appid=appid)
    assert (response.status_code, response.json()) == (401, recorded_error(401))


@pytest.mark.parametrize(
    "query", [{"q": "Atlantis"}, {"q": "London,CA"}, {"id": "1"}, {"lat": "0", "lon": "0"}, {"q": "Seattle"}]
)
def test_404_has_a_string_cod(upstreams: str, key: str, query: dict[str, str]) -> None:
    response = weather(upstreams, appid=key, **query)
    assert (response.status_code, response.json()) == (404, recorded_error(404))


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({}, "Nothing to geocode"),
        ({"lat": "91", "lon": "0"}, "wrong latitude"),
        ({"lat": "51.5"}, "wrong longitude"),
        ({"id": "x"}, "x is not a city ID"),
    ],
)
def test_400_has_a_string_cod(upstreams: str, key: str, query: dict[str, str], message: str) -> None:
    response = weather(upstreams, appid=key, **query)
    assert (response.status_code, response.json()) == (400, {"cod": "400", "message": message})


def test_an_unrecorded_day_replays_the_same_date_of_the_newest_recorded_year(upstreams: str, key: str) -> None:
    responses = [
        timemachine(upstreams, lat="51.5", lon="0", dt=str(int(moment.timestamp())), appid=key)
        for moment in (datetime(2013, 5, 17, 12, tzinfo=UTC), datetime(2024, 5, 17, 12, tzinfo=UTC))
    ]
    assert [response.headers.get(HEADER) for response in responses] == ["2024-05-17", None]
    replayed, recorded = (response.json()["data"][0] for response in responses)
    assert (replayed["temp"], replayed["weather"]) == (recorded["temp"], recorded["weather"])
    assert datetime.fromtimestamp(replayed["sunrise"], UTC).date() == date(2013, 5, 17)


@pytest.mark.parametrize("moment", ["1", "99999999999"])
def test_timemachine_names_the_range(upstreams: str, key: str, moment: str) -> None:
    response = timemachine(upstreams, lat="51.5", lon="0", dt=moment, appid=key)
    message = f"requested time is out of allowed range from 2012-01-01 to {replay.today()}"
    assert (response.status_code, response.json()) == (400, {"cod": "400", "message": message})
    assert timemachine(upstreams, lat="51.5", lon="0", appid=key).json() == {"cod": "400", "message": "wrong dt"}


def test_sixty_calls_a_minute_and_key(upstreams: str, key: str) -> None:
    statuses = [weather(upstreams, q="London", appid=key).status_code for _ in range(60)]
    assert statuses == [200] * 60
    refused = timemachine(upstreams, lat="51.5", lon="0", dt=JUNE_1_NOON, appid=key)
    assert (refused.status_code, refused.json()) == (429, recorded_error(429))
    assert weather(upstreams, q="London", appid=uuid4().hex).status_code == 200
