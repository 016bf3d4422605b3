from __future__ import annotations

import http.client
import json
import math
import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest
import requests

from tests.integration.upstreams.calls import ARCHIVE, archive, sales, weather

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstack.upstreams.client import Control


def measures(places: list[dict[str, Any]]) -> list[Any]:
    return [value for place in places for name, values in place["daily"].items() if name != "time" for value in values]


def rate_limited(upstreams: str, control: Control) -> None:
    with control.scenario("rate_limited", retry_after=7):
        responses = [call(upstreams) for call in (archive, weather, sales)]
    assert [response.status_code for response in responses] == [429] * 3
    assert {response.headers["retry-after"] for response in responses} == {"7"}
    assert responses[0].json()["reason"].startswith("Minutely API request limit exceeded.")
    assert responses[1].json()["cod"] == 429
    assert responses[2].json()["error"]["status"] == 429


def rate_limited_http_date(upstreams: str, control: Control) -> None:
    with control.scenario("rate_limited_http_date", retry_after=30):
        response = archive(upstreams)
    assert response.status_code == 429
    ahead = parsedate_to_datetime(response.headers["retry-after"]) - datetime.now(UTC)
    assert 25 < ahead.total_seconds() <= 30


def rate_limited_without_hint(upstreams: str, control: Control) -> None:
    with control.scenario("rate_limited_without_hint"):
        response = archive(upstreams)
    assert response.status_code == 429
    assert "retry-after" not in response.headers


def server_error(upstreams: str, control: Control) -> None:
    with control.scenario("server_error"):
        responses = [call(upstreams) for call in (archive, weather, sales)]
    assert [response.status_code for response in responses] == [500] * 3
    assert responses[0].json() == {"error": True, "reason": "Something went wrong."}
    with control.scenario("server_error", status=503):
        assert archive(upstreams).json() == {"error": True, "reason": "The service is overloaded"}


def client_error(upstreams: str, control: Control) -> None:
    with control.scenario("client_error", status=404):
        assert archive(upstreams).status_code == 404
        assert weather(upstreams).json()["cod"] == "404"


def bad_gateway_html(upstreams: str, control: Control) -> None:
    with control.scenario("bad_gateway_html"):
        response = archive(upstreams)
    assert (response.status_code, response.headers["content-type"]) == (502, "text/html")
    assert "<h1>502 Bad Gateway</h1>" in response.text


def connection_reset(upstreams: str, control: Control) -> None:
    address = urlsplit(upstreams)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=2)
    with control.scenario("connection_reset"):
        connection.request("GET", "/sales?date=2010-12-20")
        with pytest.raises(ConnectionResetError):
            connection.getresponse()
    connection.close()


def answer_lost(upstreams: str, control: Control) -> None:
    body = {"job": "daily_revenue", "seconds": 0}
    headers = {"Idempotency-Key": "answer_lost"}
    with control.scenario("answer_lost", path="/jobs"), pytest.raises(requests.ReadTimeout):
        requests.post(f"{upstreams}/jobs", json=body, headers=headers, timeout=0.5)
    jobs = requests.get(f"{upstreams}/jobs", params={"idempotency_key": "answer_lost"}, timeout=10).json()["data"]
    assert [job["job"] for job in jobs] == ["daily_revenue"]


def hang(upstreams: str, control: Control) -> None:
    with control.scenario("hang"), pytest.raises(requests.ReadTimeout):
        requests.get(f"{upstreams}/v1/archive", params=ARCHIVE, timeout=0.3)
    assert [served["status"] for served in control.requests(scenario="hang")] == [None]


def slow_bytes(upstreams: str, control: Control) -> None:
    original = archive(upstreams).json()
    with control.scenario("slow_bytes", seconds=0.8, pieces=4):
        started = time.monotonic()
        response = requests.get(f"{upstreams}/v1/archive", params=ARCHIVE, timeout=0.5)
    assert time.monotonic() - started > 0.75
    assert [place["daily"] for place in response.json()] == [place["daily"] for place in original]


def cut_json(upstreams: str, control: Control) -> None:
    with control.scenario("cut_json", sent=0.9):
        response = requests.get(f"{upstreams}/v1/archive", params=ARCHIVE, timeout=2, stream=True)
        assert response.status_code == 200
        with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
            assert response.content


def cut_json_streaming_error(upstreams: str, control: Control) -> None:
    with control.scenario("cut_json_streaming_error"):
        response = archive(upstreams)
    assert response.status_code == 200
    assert "Unexpected error while streaming data: " in response.text
    with pytest.raises(requests.JSONDecodeError):
        response.json()


def oversized(upstreams: str, control: Control) -> None:
    with control.scenario("oversized", megabytes=3):
        response = archive(upstreams)
    assert len(response.content) > 3_000_000
    assert "content-length" not in response.headers
    assert len(response.json()) == 3


def wrong_types(upstreams: str, control: Control) -> None:
    with control.scenario("wrong_types"):
        places = archive(upstreams).json()
        assert isinstance(weather(upstreams).json()["main"]["temp"], str)
        assert isinstance(sales(upstreams).json()["data"][0]["UnitPrice"], str)
    assert {type(value) for value in measures(places)} == {str}
    assert isinstance(places[0]["latitude"], float)
    with control.scenario("wrong_types", fields="wind_speed_10m_mean"):
        daily = archive(upstreams).json()[0]["daily"]
    assert [type(daily[name][0]) for name in ("temperature_2m_mean", "wind_speed_10m_mean")] == [float, str]


def nan(upstreams: str, control: Control) -> None:
    with control.scenario("nan"):
        response = archive(upstreams)
    assert "[NaN,NaN]" in response.text
    assert all(math.isnan(value) for value in measures(json.loads(response.text)))


def null_values(upstreams: str, control: Control) -> None:
    with control.scenario("null_values", fields="temperature_2m_mean"):
        daily = archive(upstreams).json()[1]["daily"]
    assert daily["temperature_2m_mean"] == [None, None]
    assert None not in daily["weather_code"]


def out_of_range(upstreams: str, control: Control) -> None:
    with control.scenario("out_of_range"):
        daily = archive(upstreams).json()[0]["daily"]
        assert weather(upstreams).json()["main"]["temp_max"] == -400
    assert daily["temperature_2m_mean"] == [-400, -400]
    assert daily["weather_code"] != [-400, -400]


def missing_city(upstreams: str, control: Control) -> None:
    with control.scenario("missing_city", index=1):
        assert [round(place["latitude"]) for place in archive(upstreams).json()] == [41, 36]
        place = archive(upstreams, latitude="51.5", longitude="0").json()
        assert sales(upstreams).json()["data"] == []
    assert measures([place]) == [None] * 6


def missing_city_nulls(upstreams: str, control: Control) -> None:
    with control.scenario("missing_city_nulls"):
        places = archive(upstreams).json()
    assert measures(places[2:]) == [None] * 6
    assert None not in measures(places[:2])


def duplicate_rows(upstreams: str, control: Control) -> None:
    with control.scenario("duplicate_rows"):
        places = archive(upstreams).json()
        rows = sales(upstreams).json()["data"]
    assert len(places) == 3
    for place in places:
        assert place["daily"]["time"] == ["2024-06-01", "2024-06-02", "2024-06-02"]
        assert all(values[1] == values[2] for values in place["daily"].values())
    assert len(rows) == 4
    assert rows[2] == rows[3]


def extra_field(upstreams: str, control: Control) -> None:
    with control.scenario("extra_field"):
        place = archive(upstreams).json()[0]
        assert sales(upstreams).json()["data"][0]["added_field"] == "new"
    assert place["added_field"] == "new"
    assert place["daily"]["added_field"] == ["new", "new"]


def stale_date(upstreams: str, control: Control) -> None:
    original = weather(upstreams).json()["dt"]
    with control.scenario("stale_date"):
        assert archive(upstreams).json()[0]["daily"]["time"] == ["2024-05-31", "2024-06-01"]
        assert weather(upstreams).json()["dt"] == original - 86400
        assert sales(upstreams).json()["data"][0]["InvoiceDate"] == "2010-12-19 08:27:00"


def redirect(upstreams: str, control: Control) -> None:
    with control.scenario("redirect", status=308):
        response = requests.get(f"{upstreams}/sales", params={"date": "2010-12-20"}, timeout=10, allow_redirects=False)
    assert response.status_code == 308
    assert response.headers["location"] == response.request.url
    with control.scenario("redirect", to="http://elsewhere.test/"):
        response = requests.get(f"{upstreams}/sales", timeout=10, allow_redirects=False)
    assert (response.status_code, response.headers["location"]) == (302, "http://elsewhere.test/")


def next_link(upstreams: str, control: Control) -> None:
    with control.scenario("next_link", to="http://elsewhere.test/"):
        assert sales(upstreams).json()["next"] == "http://elsewhere.test/"


def wrong_total(upstreams: str, control: Control) -> None:
    with control.scenario("wrong_total", by=2):
        assert sales(upstreams).json()["total"] == 1765


PLAYED: list[Callable[[str, Control], None]] = [
    rate_limited, rate_limited_http_date, rate_limited_without_hint, server_error, client_error, bad_gateway_html,
    connection_reset, hang, answer_lost, slow_bytes, cut_json, cut_json_streaming_error, oversized, wrong_types, nan,
    null_values, out_of_range, missing_city, missing_city_nulls, duplicate_rows, extra_field, stale_date, redirect,
    next_link, wrong_total,
]  # fmt: skip


@pytest.mark.parametrize("play", PLAYED, ids=lambda play: play.__name__)
def test_scenario(upstreams: str, control: Control, play: Callable[[str, Control], None]) -> None:
    play(upstreams, control)
    assert control.scenarios()["active"] == []
    assert [call(upstreams).status_code for call in (archive, weather, sales)] == [200] * 3


def test_every_scenario_is_tested_and_documented(control: Control) -> None:
    available = control.scenarios()["available"]
    assert set(available) == {play.__name__ for play in PLAYED}
    assert all(scenario["what"] for scenario in available.values())
