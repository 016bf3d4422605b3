from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import requests

from devstack.upstreams import replay
from devstack.upstreams.records import DATA
from include.core.replay import HEADER

SAMPLES = DATA / "api_samples" / "openmeteo"
LONDON = {"latitude": "51.5085", "longitude": "-0.1257"}
CITIES = {"latitude": "40.71,51.51,35.69", "longitude": "-74.01,-0.13,139.69"}
JUNE = {"start_date": "2024-06-01", "end_date": "2024-06-03"}
MEAN = {"daily": "temperature_2m_mean"}


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text(encoding="utf-8"))


def get(upstreams: str, path: str, **query: str) -> requests.Response:
    return requests.get(upstreams + path, params=query, timeout=10)


def archive(upstreams: str, **query: str) -> Any:
    response = get(upstreams, "/v1/archive", **query)
    assert response.status_code == 200, response.text
    return response.json()


def shape(value: Any) -> Any:
    """Keys in order and types; a list has the type of its values that aren't null."""
    if isinstance(value, dict):
        return [(key, shape(part)) for key, part in value.items()]
    if isinstance(value, list):
        return [shape(part) for part in value if part is not None][:1]
    return type(value)


def test_forecast_has_keys_order_types_and_units_of_the_recorded_response(upstreams: str) -> None:
    response = get(
        upstreams,
        "/v1/forecast",
        **LONDON,
        current="temperature_2m,weather_code,wind_speed_10m",
        daily="temperature_2m_max,temperature_2m_min,weather_code",
        timezone="Europe/London",
    )
    recorded, served = sample("forecast_london_2026-07-02.json"), response.json()
    assert shape(served) == shape(recorded)
    for block in ("current_units", "daily_units", "timezone"):
        assert served[block] == recorded[block]
    assert len(served["daily"]["time"]) == len(recorded["daily"]["time"]) == 7
    assert response.headers["content-type"] == "application/json; charset=utf-8"
    assert response.headers["x-sample-data"] == "recorded; see /about"


def test_archive_has_keys_and_order_of_the_recorded_response(upstreams: str) -> None:
    recorded = sample("archive_enschede_1953-01-31_trimmed.json")
    served = archive(
        upstreams,
        **LONDON,
        **JUNE,
        hourly="temperature_2m,wind_speed_10m",
        daily="wind_gusts_10m_max,precipitation_sum",
    )
    assert list(served) == list(recorded)
    assert list(served["daily"]) == list(recorded["daily"])
    assert served["hourly"]["time"][:2] == ["2024-06-01T00:00", "2024-06-01T01:00"]
    assert len(served["hourly"]["time"]) == len(served["hourly"]["temperature_2m"]) == 72


@pytest.mark.parametrize("block", ["current", "hourly", "daily"])
def test_every_recorded_variable_has_the_units_and_types_of_a_full_response(upstreams: str, block: str) -> None:
    recorded = sample("forecast_enschede_2026-10-03_subset.json")
    variables = ",".join(name for name in recorded[block] if name not in {"time", "interval"})
    served = get(upstreams, "/v1/forecast", **LONDON, **{block: variables}, forecast_days="3").json()
    assert list(served[f"{block}_units"]) == list(served[block]) == list(recorded[block])
    for name, unit in served[f"{block}_units"].items():
        values = served[block][name] if isinstance(served[block][name], list) else [served[block][name]]
        if unit != "undefined":
            assert unit == recorded[f"{block}_units"][name]
        if set(values) != {None}:
            assert unit != "undefined"
            assert shape(served[block][name]) == shape(recorded[block][name])
    defined = {name for name, unit in served[f"{block}_units"].items() if unit != "undefined"} - {"time", "interval"}
    assert len(defined) == {"current": 5, "hourly": 0, "daily": 7}[block]


def test_values_are_the_recorded_ones(upstreams: str) -> None:
    names = "weather_code,temperature_2m_mean,temperature_2m_max,temperature_2m_min,relative_humidity_2m_mean"
    assert archive(upstreams, **LONDON, start_date="2021-07-04", end_date="2021-07-04", daily=names)["daily"] == {
        "time": ["2021-07-04"],
        "weather_code": [3],
        "temperature_2m_mean": [17.5],
        "temperature_2m_max": [20.3],
        "temperature_2m_min": [15.6],
        "relative_humidity_2m_mean": [64],
    }


def test_several_places_are_an_array_numbered_from_the_second(upstreams: str) -> None:
    served = archive(upstreams, **CITIES, **JUNE, **MEAN)
    assert [place.get("location_id") for place in served] == [None, 1, 2]
    assert [round(place["latitude"]) for place in served] == [41, 52, 36]
    keys = list(served[1])
    assert keys[keys.index("elevation") + 1] == "location_id"


def test_blocks_are_returned_only_if_requested(upstreams: str) -> None:
    assert list(archive(upstreams, **LONDON, **JUNE))[-1] == "elevation"


SEATTLE = {"latitude": "47.6", "longitude": "-122.3"}


def test_what_was_not_recorded_is_null(upstreams: str) -> None:
    served = archive(
        upstreams, **SEATTLE, start_date="2015-12-31", end_date="2015-12-31", daily="temperature_2m_mean,sunset"
    )
    assert served["daily"] == {"time": ["2015-12-31"], "temperature_2m_mean": [None], "sunset": [None]}
    assert served["daily_units"] == {"time": "iso8601", "temperature_2m_mean": "°C", "sunset": "undefined"}
    today = replay.today()
    period = {"start_date": today.isoformat(), "end_date": (today + timedelta(days=2)).isoformat()}
    served = get(upstreams, "/v1/forecast", **LONDON, **MEAN, **period).json()["daily"]
    assert [value is None for value in served["temperature_2m_mean"]] == [False, True, True]


@pytest.mark.parametrize(
    ("day", "recorded"),
    [
        ("2026-02-28", "2024-02-28"),
        ("2025-01-01", "2024-01-01"),
        ("2020-02-29", "2024-02-29"),
        ("2015-06-01", "2024-06-01"),
    ],
)
def test_an_unrecorded_day_replays_the_same_date_of_the_newest_recorded_year(
    upstreams: str, day: str, recorded: str
) -> None:
    responses = [
        get(upstreams, "/v1/archive", **CITIES, **MEAN, start_date=date, end_date=date) for date in (day, recorded)
    ]
    assert [response.headers.get(HEADER) for response in responses] == [recorded, None]
    for place, other in zip(*(response.json() for response in responses), strict=True):
        assert place["daily"] == other["daily"] | {"time": [day]}
        assert None not in place["daily"]["temperature_2m_mean"]


def test_all_places_replay_the_same_day_with_the_requested_variables(upstreams: str) -> None:
    new_york = {"latitude": "40.71", "longitude": "-74.01", "start_date": "2013-03-01", "end_date": "2013-03-01"}
    rain, mean = (
        get(upstreams, "/v1/archive", **new_york, daily=name) for name in ("precipitation_sum", "temperature_2m_mean")
    )
    assert (rain.headers.get(HEADER), mean.headers.get(HEADER)) == (None, "2024-03-01")
    assert None not in (rain.json()["daily"]["precipitation_sum"] + mean.json()["daily"]["temperature_2m_mean"])


def test_units_follow_the_parameters(upstreams: str) -> None:
    names = "temperature_2m_max,wind_speed_10m_mean,precipitation_sum"
    seattle = SEATTLE | {"start_date": "2012-01-02", "end_date": "2012-01-02"}
    units = {"temperature_unit": "fahrenheit", "wind_speed_unit": "ms", "precipitation_unit": "inch"}
    served = archive(upstreams, **seattle, daily=names, **units)
    assert list(served["daily_units"].values()) == ["iso8601", "°F", "m/s", "inch"]
    assert list(served["daily"].values()) == [["2012-01-02"], [51.1], [4.5], [0.429]]
    assert archive(upstreams, **seattle, daily=names)["daily"]["wind_speed_10m_mean"] == [16.2]


@pytest.mark.parametrize(
    ("zone", "expected"),
    [
        ("GMT", (0, "GMT", "GMT", 1717200000)),
        ("Asia/Tokyo", (32400, "Asia/Tokyo", "GMT+9", 1717167600)),
        ("Asia/Kolkata", (19800, "Asia/Kolkata", "GMT+5:30", 1717180200)),
    ],
)
def test_timezone_and_timeformat(upstreams: str, zone: str, expected: tuple[int, str, str, int]) -> None:
    place = {"latitude": "40.7", "longitude": "-74"}
    served = archive(upstreams, **place, **JUNE, **MEAN, timezone=zone, timeformat="unixtime")
    assert served["daily_units"]["time"] == "unixtime"
    header = tuple(served[key] for key in ("utc_offset_seconds", "timezone", "timezone_abbreviation"))
    assert (*header, served["daily"]["time"][0]) == expected


def test_the_utc_offset_is_the_places_current_one(upstreams: str) -> None:
    served = archive(upstreams, latitude="40.7", longitude="-74", **JUNE, **MEAN, timezone="auto")
    assert served["timezone"] == "America/New_York"
    assert timedelta(seconds=served["utc_offset_seconds"]) == datetime.now(ZoneInfo("America/New_York")).utcoffset()


def test_today_is_the_current_day(upstreams: str) -> None:
    response = get(upstreams, "/v1/forecast", **LONDON, **MEAN, past_days="2", forecast_days="1")
    window, days = response.json()["daily"], [replay.today() - timedelta(days=back) for back in (2, 1, 0)]
    assert window["time"] == [day.isoformat() for day in days]
    assert None not in window["temperature_2m_mean"]
    assert response.headers[HEADER] == ", ".join(f"2024-{day:%m-%d}" for day in days)
    period = {"start_date": days[1].isoformat(), "end_date": days[2].isoformat()}
    served = get(upstreams, "/v1/forecast", **LONDON, **MEAN, **period).json()
    assert served["daily"]["temperature_2m_mean"] == window["temperature_2m_mean"][1:]


REFUSED = {
    "latitude=91": LONDON | {"latitude": "91"},
    "longitude=181": LONDON | {"longitude": "181"},
    "coordinates empty": {"latitude": "", "longitude": ""},
    "unequal coordinate lists": LONDON | {"latitude": "51.5,40.7"},
    "only one of start_date, end_date": LONDON | {"end_date": ""},
    "end_date before start_date": LONDON | {"end_date": "2024-05-31"},
    "malformed date": LONDON | {"start_date": "01.06.2024"},
    "impossible date": LONDON | {"start_date": "2024-02-30"},
    "unknown timezone": LONDON | {"timezone": "Mars/Olympus"},
    "no model covers the point": {"latitude": "0", "longitude": "0"},
}


@pytest.mark.parametrize("when", REFUSED)
def test_errors_are_the_recorded_ones(upstreams: str, when: str) -> None:
    recorded = next(error for error in sample("errors.json")["errors"] if error["when"] == when)
    response = get(upstreams, "/v1/archive", **(JUNE | REFUSED[when]))
    assert (response.status_code, response.json()) == (recorded["status"], recorded["body"])


def test_forecast_days_error_repeats_the_maximum(upstreams: str) -> None:
    recorded = next(error for error in sample("errors.json")["errors"] if error["when"].startswith("forecast_days=17"))
    response = get(upstreams, "/v1/forecast", **LONDON, forecast_days="17")
    assert (response.status_code, response.json()) == (recorded["status"], recorded["body"])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ({"start_date": "2011-12-31"}, "'start_date' is out of allowed range from 2012-01-01 to "),
        ({"end_date": "9999-12-31"}, "'end_date' is out of allowed range from 2012-01-01 to "),
        ({"daily": "temprature"}, "Cannot initialize ForecastVariableDaily from invalid String value temprature"),
        ({"temperature_unit": "kelvin"}, "Cannot initialize TemperatureUnit from invalid String value kelvin"),
        ({"latitude": "north"}, "Value of type 'Float' required for key 'latitude'"),
        ({"timezone": "GMT,GMT"}, "Invalid timezone"),
        ({"format": "csv"}, "Cannot initialize Format from invalid String value csv"),
    ],
)
def test_other_errors_name_the_parameter(upstreams: str, query: dict[str, str], reason: str) -> None:
    response = get(upstreams, "/v1/archive", **(LONDON | JUNE | query))
    assert response.status_code == 400
    assert response.json()["error"] is True
    assert reason in response.json()["reason"]


def test_forecast_reaches_back_93_days_like_the_real_api(upstreams: str) -> None:
    response = get(upstreams, "/v1/forecast", **LONDON, **JUNE, **MEAN)
    first, last = (replay.today() + timedelta(days=days) for days in (-93, 15))
    assert response.json()["reason"].endswith(f"out of allowed range from {first} to {last}")
    response = get(upstreams, "/v1/forecast", **LONDON, past_days="94")
    assert response.json()["reason"] == "Past days is invalid. Allowed range 0 to 93. Given 94."
    response = get(upstreams, "/v1/forecast", **LONDON, **JUNE, past_days="1")
    assert response.json()["reason"] == "Parameter 'past_days' is mutually exclusive with 'start_date' and 'end_date'"
