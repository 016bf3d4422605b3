"""Hooks and clients on the sample upstreams: rows or error, its message, how often and when they called."""

from __future__ import annotations

import datetime as dt
import logging
import time
import traceback
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from include.core.errors import ConfigurationError, PermanentUpstreamError, TransientUpstreamError, UpstreamError
from include.core.http.rate_limit import RateLimiter
from include.domains.weather.cities import City, load_cities
from include.domains.weather.open_meteo import OpenMeteo
from include.domains.weather.openweathermap import OpenWeatherMap
from include.domains.weather.transform import transform
from spellbook.hooks.weather import OpenMeteoHook, OpenWeatherMapHook, WeatherHook
from tests.integration.weather.conftest import DAY, PATHS, REQUESTED_ON, TODAY, YESTERDAY, Build

if TYPE_CHECKING:
    from devstack.upstreams.client import Control

CITIES = load_cities()
CALLS = {"open_meteo": 1, "openweathermap": 3}  # one call for all cities, or one per city

each_api = pytest.mark.parametrize("api", PATHS)


def log_text(error: BaseException) -> str:
    """The text of an error in a log."""
    return "".join(traceback.format_exception(error))


@each_api
def test_rows_of_a_past_day(build: Build, control: Control, api: str) -> None:
    frame, rejected = transform(build(api).fetch(CITIES, DAY, REQUESTED_ON))
    assert list(frame["city"]) == ["New York", "London", "Tokyo"]
    assert set(frame["source"]) == {api}
    assert frame["temperature"].between(50, 80).all()
    assert rejected == []
    assert [request["path"] for request in control.requests()] == [PATHS[api]] * CALLS[api]


def test_both_apis_agree(build: Build, control: Control) -> None:
    first, second = (transform(build(api).fetch(CITIES, DAY, REQUESTED_ON)).frame for api in PATHS)
    assert first["temperature"].tolist() == pytest.approx(second["temperature"].tolist(), abs=0.2)
    assert control.requests()


def test_a_recent_day_comes_from_the_forecast_endpoint(build: Build, control: Control) -> None:
    frame, _ = transform(build("open_meteo").fetch(CITIES, YESTERDAY, TODAY))
    assert len(frame) == len(CITIES)
    [request] = control.requests()
    assert request["path"] == "/v1/forecast"
    assert request["query"]["start_date"] == request["query"]["end_date"] == YESTERDAY.isoformat()


@each_api
@pytest.mark.parametrize(
    ("scenario", "options"),
    [
        ("rate_limited_without_hint", {}),
        ("server_error", {"status": 500}),
        ("server_error", {"status": 503}),
        ("bad_gateway_html", {}),
        ("connection_reset", {}),
        ("hang", {}),
        ("cut_json", {}),
        ("cut_json_streaming_error", {}),
    ],
)
def test_a_transient_fault_is_retried(
    build: Build, control: Control, api: str, scenario: str, options: dict[str, Any]
) -> None:
    with control.scenario(scenario, path=PATHS[api], times=2, **options):
        frame, rejected = transform(build(api, silence=0.3).fetch(CITIES, DAY, REQUESTED_ON))
    assert (len(frame), rejected) == (3, [])
    assert len(control.requests()) == CALLS[api] + 2


@each_api
@pytest.mark.parametrize(
    ("scenario", "status", "message"),
    [
        ("rate_limited_without_hint", 429, "answered 429 for"),
        ("server_error", 500, "answered 500 for"),
        ("bad_gateway_html", 502, "502 Bad Gateway"),
        ("connection_reset", None, "ConnectionResetError"),
        ("hang", None, "no data for 0.6 s"),
        ("cut_json", None, "peer closed connection without sending complete message body"),
        ("cut_json_streaming_error", 200, "the response isn't complete JSON"),
    ],
)
def test_a_fault_that_lasts_until_the_deadline_is_left_to_airflow(
    build: Build, control: Control, key: str, api: str, scenario: str, status: int | None, message: str
) -> None:
    with control.scenario(scenario, path=PATHS[api]), pytest.raises(TransientUpstreamError) as caught:
        build(api, deadline=2.0, silence=0.6).fetch(CITIES, DAY, REQUESTED_ON)
    assert caught.value.status == status
    assert message in str(caught.value)
    assert key not in log_text(caught.value)
    assert len(control.requests()) > 1


@each_api
@pytest.mark.parametrize("scenario", ["rate_limited", "rate_limited_http_date"])
def test_retry_after_is_obeyed(build: Build, control: Control, api: str, scenario: str) -> None:
    with control.scenario(scenario, path=PATHS[api], times=1, retry_after=2):
        frame, _ = transform(build(api).fetch(CITIES, DAY, REQUESTED_ON))
    assert len(frame) == 3
    refused, accepted = (dt.datetime.fromisoformat(request["time"]) for request in control.requests()[:2])
    assert 0.9 <= (accepted - refused).total_seconds() < 4


@each_api
def test_a_longer_wait_than_the_deadline_is_left_to_airflow(build: Build, control: Control, api: str) -> None:
    client = build(api)
    with control.scenario("rate_limited", path=PATHS[api], retry_after=3600):
        with pytest.raises(TransientUpstreamError, match=r"asks to wait 3600 s") as caught:
            client.fetch(CITIES, DAY, REQUESTED_ON)
        assert caught.value.retry_after == 3600
        with pytest.raises(TransientUpstreamError, match=r"no call is free within"):
            client.fetch(CITIES, DAY, REQUESTED_ON)  # no other worker calls before that either
    assert len(control.requests()) == 1


@each_api
@pytest.mark.parametrize(
    ("status", "advice"),
    [
        (400, "correct the cities' coordinates"),
        (401, "put a valid API key into the connection's password"),
        (403, "the plan of this API key doesn't include this endpoint"),
        (404, "check the connection's host"),
    ],
)
def test_a_refusal_fails_at_once_and_says_what_to_fix(
    build: Build, control: Control, key: str, api: str, status: int, advice: str
) -> None:
    with (
        control.scenario("client_error", path=PATHS[api], status=status),
        pytest.raises(PermanentUpstreamError) as caught,
    ):
        build(api).fetch(CITIES, DAY, REQUESTED_ON)
    assert caught.value.status == status
    assert f"answered {status} for http://127.0.0.1:" in str(caught.value)
    assert advice in str(caught.value)
    assert key not in log_text(caught.value)
    assert len(control.requests()) == 1


def test_a_wrong_key_is_named_but_not_shown(build: Build, control: Control) -> None:
    wrong = "not" + "-a-key"
    with pytest.raises(
        PermanentUpstreamError, match=r"answered 401 .*Invalid API key.*connection's password"
    ) as caught:
        build("openweathermap", password=wrong).fetch(CITIES, DAY, REQUESTED_ON)
    assert wrong not in log_text(caught.value)
    assert len(control.requests()) == 1


def test_an_impossible_day_is_refused_by_the_archive(build: Build) -> None:
    with pytest.raises(PermanentUpstreamError, match=r"answered 400 .*out of allowed range.*; correct the cities"):
        build("open_meteo").fetch(CITIES, dt.date(1999, 1, 1), REQUESTED_ON)


@each_api
def test_a_slow_response_is_ended_at_the_deadline(build: Build, control: Control, api: str) -> None:
    started = time.monotonic()
    with (
        control.scenario("slow_bytes", path=PATHS[api], seconds=10.0, pieces=50),
        pytest.raises(TransientUpstreamError, match="no complete response within 1 s"),
    ):
        build(api, deadline=1.0).fetch(CITIES, DAY, REQUESTED_ON)
    assert time.monotonic() - started < 10, "the upstream takes that long"


@each_api
def test_a_slow_response_before_the_deadline_is_accepted(build: Build, control: Control, api: str) -> None:
    with control.scenario("slow_bytes", path=PATHS[api], times=1, seconds=1.5, pieces=10):
        frame, _ = transform(build(api).fetch(CITIES, DAY, REQUESTED_ON))
    assert len(frame) == 3


@each_api
def test_an_oversized_response_is_refused(build: Build, control: Control, api: str) -> None:
    with (
        control.scenario("oversized", path=PATHS[api], megabytes=8),
        pytest.raises(PermanentUpstreamError, match="larger than 1000000 bytes"),
    ):
        build(api).fetch(CITIES, DAY, REQUESTED_ON)


@each_api
@pytest.mark.parametrize(
    ("scenario", "options", "loaded", "reasons"),
    [
        ("wrong_types", {}, 0, {"open_meteo": "weather_code '", "openweathermap": "(got '"}),
        ("wrong_types", {"fields": "temperature_2m_mean,temp"}, 0, "temperature_c: Input should be a valid number"),
        ("nan", {"fields": "temperature_2m_mean,temp"}, 0, "temperature_c: Input should be a finite number (got nan)"),
        (
            "null_values",
            {"fields": "temperature_2m_mean,temp"},
            0,
            "temperature_c: Input should be a valid number (got None)",
        ),
        ("out_of_range", {}, 0, "temperature: must be at least -130 (got "),
        ("stale_date", {}, 0, "date: must be 2024-06-01 (got "),
        ("duplicate_rows", {}, 3, "city: copy of line "),
        ("extra_field", {}, 3, None),
    ],
)
def test_wrong_content_is_rejected_with_its_reason(
    build: Build, control: Control, api: str, scenario: str, options: dict[str, Any], loaded: int,
    reasons: dict[str, str] | str | None,
) -> None:  # fmt: skip
    with control.scenario(scenario, path=PATHS[api], **options):
        frame, rejected = transform(build(api).fetch(CITIES, DAY, REQUESTED_ON))
    reason = reasons[api] if isinstance(reasons, dict) else reasons
    assert len(frame) == loaded
    assert len(rejected) == (3 if reason else 0)
    assert all(reason and reason in record.reason for record in rejected)


def test_a_missing_city_does_not_affect_the_others(build: Build, control: Control) -> None:
    with control.scenario("missing_city", path=PATHS["open_meteo"], index=0):
        frame, rejected = transform(build("open_meteo").fetch(CITIES, DAY, REQUESTED_ON))
    assert (list(frame["city"]), rejected) == (["London", "Tokyo"], [])
    with control.scenario("missing_city_nulls", path=PATHS["open_meteo"], index=1):
        frame, [record] = transform(build("open_meteo").fetch(CITIES, DAY, REQUESTED_ON))
    assert (list(frame["city"]), record.row["city"]) == (["New York", "Tokyo"], "London")
    with control.scenario("missing_city", path=PATHS["openweathermap"], match={"lat": "51.5085"}):
        frame, rejected = transform(build("openweathermap").fetch(CITIES, DAY, REQUESTED_ON))
    assert (list(frame["city"]), rejected) == (["New York", "Tokyo"], [])


@each_api
def test_a_refused_connection_is_a_transient_error(build: Build, key: str, api: str) -> None:
    nowhere = {"host": "127.0.0.1", "port": 9, "schema": "http"}
    client = build(api, password=key, fields=nowhere, deadline=0.5)
    with pytest.raises(TransientUpstreamError, match=r"at http://127\.0\.0\.1:9/.*ConnectionRefusedError") as caught:
        client.fetch(CITIES, DAY, REQUESTED_ON)
    assert key not in log_text(caught.value)


@each_api
def test_the_key_is_in_no_log_even_when_everything_is_logged(
    build: Build, control: Control, key: str, caplog: pytest.LogCaptureFixture, api: str
) -> None:
    for name in ("", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    with control.scenario("server_error", path=PATHS[api], times=1):
        raw = build(api, password=key).fetch(CITIES, DAY, REQUESTED_ON)
    logged = "\n".join(record.getMessage() for record in caplog.records)
    assert "httpcore.http11" in {record.name for record in caplog.records}
    assert "answered 500 for" in logged
    assert key not in logged
    assert key not in raw.model_dump_json()


def test_the_limit_of_the_plan_is_kept(build: Build, control: Control) -> None:
    client = build("openweathermap", deadline=1.0)
    many = [City(name=f"London {number}", latitude=51.5085, longitude=-0.1257) for number in range(61)]
    with pytest.raises(
        TransientUpstreamError, match=r"no call is free within .*60 calls per 60 s, shared by all workers"
    ):
        client.fetch(many, DAY, REQUESTED_ON)
    served = control.requests()
    assert len(served) == 60
    assert {request["status"] for request in served} == {200}


def test_the_connection_type_chooses_the_client(build: Build, warehouse: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for api, expected, calls in (("open_meteo", OpenMeteo, 180), ("openweathermap", OpenWeatherMap, 60)):
        build(api)
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse)
        client = WeatherHook("weather_default", "warehouse").get_conn()
        assert type(client) is expected
        assert isinstance(client.api.limiter, RateLimiter)
        assert (client.api.limiter.name, client.api.limiter.calls) == (api, calls)
        assert len(client.fetch(CITIES, DAY, REQUESTED_ON).cities) == 3
    with psycopg.connect(warehouse) as session:
        booked = session.execute("SELECT upstream FROM rate_limit ORDER BY upstream").fetchall()
    assert booked == [("open_meteo",), ("openweathermap",)]
    monkeypatch.setenv("AIRFLOW_CONN_WEATHER_DEFAULT", '{"conn_type": "http"}')
    with pytest.raises(
        ConfigurationError, match=r"conn_type: 'http' is not a weather API; allowed: open_meteo, openweathermap"
    ):
        WeatherHook().get_conn()


@pytest.mark.parametrize("hook", [OpenMeteoHook, OpenWeatherMapHook])
def test_the_connection_is_tested(
    build: Build, control: Control, upstreams: str, key: str, hook: type[OpenMeteoHook | OpenWeatherMapHook]
) -> None:
    build(hook.conn_type)
    assert hook().test_connection() == (True, f"{upstreams} responded")
    assert len(control.requests()) == 1
    with control.scenario("client_error", status=401):
        good, message = hook().test_connection()
    assert not good
    assert "put a valid API key into the connection's password" in message
    assert key not in message


@pytest.mark.parametrize(
    ("fields", "forecast", "archive"),
    [
        ({"host": None}, "https://api.open-meteo.com", "https://archive-api.open-meteo.com"),
        ({"host": "weather.test"}, "https://weather.test", "https://weather.test"),
        ({"host": "weather.test", "schema": "http", "port": 81}, "http://weather.test:81", "http://weather.test:81"),
        ({"host": "http://weather.test:81/", "port": 90}, "http://weather.test:81", "http://weather.test:81"),
        (
            {"host": "https://a.test/om", "extra": {"archive_host": "https://b.test/"}},
            "https://a.test/om",
            "https://b.test",
        ),
    ],
)
def test_host_schema_and_port_are_honoured(
    build: Build, fields: dict[str, object], forecast: str, archive: str
) -> None:
    client = build("open_meteo", fields=fields)
    assert isinstance(client, OpenMeteo)
    assert (client.base, client.archive) == (forecast, archive)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"host": "ftp://a.test"}, "host"),
        ({"host": "http://"}, "host"),
        ({"host": "http://a.test/?q=1"}, "host"),
        ({"host": "http://user@a.test"}, "host"),
        ({"host": "http://a.test:port"}, "host"),
        ({"host": "http://a.test", "extra": {"archive_host": "b.test"}}, "extra.archive_host"),
    ],
)
def test_an_invalid_host_is_refused(build: Build, fields: dict[str, object], field: str) -> None:
    with pytest.raises(
        ConfigurationError, match=f"connection 'weather_default': {field}: .* isn't a URL like https://"
    ):
        build("open_meteo", fields=fields)


@each_api
def test_a_day_that_is_not_over_is_refused_before_any_call(build: Build, control: Control, api: str) -> None:
    with pytest.raises(ConfigurationError, match="date: 2024-12-31 is not over on 2024-12-31"):
        build(api).fetch(CITIES, REQUESTED_ON, REQUESTED_ON)
    assert control.requests() == []


def test_openweathermap_without_a_key_says_where_to_put_it(build: Build, control: Control) -> None:
    with pytest.raises(
        ConfigurationError, match=r"connection 'weather_default': password: empty; set it to the API key"
    ):
        build("openweathermap", password="").fetch(CITIES, DAY, REQUESTED_ON)
    assert control.requests() == []


def test_a_redirect_is_not_followed(build: Build, control: Control) -> None:
    with (
        control.scenario("client_error", path=PATHS["open_meteo"], status=302),
        pytest.raises(UpstreamError, match=r"answered 302 .*check the connection's host"),
    ):
        build("open_meteo").fetch(CITIES, DAY, REQUESTED_ON)
