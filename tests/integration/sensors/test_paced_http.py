"""The sensor against a server that refuses for a while: how often it polls, and that it ends."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
from base64 import b64encode

import pytest
from airflow.sdk.exceptions import TaskDeferred

from devstack.upstreams.client import Control
from include.core.errors import ConfigurationError, PermanentUpstreamError, TransientUpstreamError
from spellbook.sensors import http
from spellbook.sensors.http import PacedHttpSensor
from spellbook.triggers.http import PacedHttpTrigger
from tests.integration.http.test_policy import serving

PAUSE = 0.4
KEY = secrets.token_hex(8)
NOT_YET = "2099-12-25"  # a day that the sample upstreams don't have yet


@pytest.fixture(autouse=True)
def _tills(upstreams: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_TILLS_DEFAULT", json.dumps({"conn_type": "http", "host": upstreams}))


def sensor_for(day: str) -> PacedHttpSensor:
    return PacedHttpSensor(
        task_id="wait",
        http_conn_id="tills_default",
        endpoint="sales",
        request_params={"date": day},
        poke_interval=PAUSE,
        timeout=60,
    )


def trigger_for(day: str) -> PacedHttpTrigger:
    """What the sensor hands to the triggerer after its first request."""
    sensor = sensor_for(day)
    with pytest.raises(TaskDeferred) as deferred:
        sensor.execute({})
    path, arguments = deferred.value.trigger.serialize()
    assert path == "spellbook.triggers.http.PacedHttpTrigger"
    return PacedHttpTrigger(**arguments)


async def first_event(trigger: PacedHttpTrigger, seconds: float) -> object:
    """The payload of the first event, ``None`` if there is none in so many seconds."""
    try:
        event = await asyncio.wait_for(anext(aiter(trigger.run())), seconds)
    except TimeoutError:
        return None
    return event.payload


@pytest.mark.parametrize("status", [401, 404])
def test_the_server_is_polled_at_the_interval_whatever_it_responds(control: Control, status: int) -> None:
    trigger = trigger_for(NOT_YET)
    with control.scenario("client_error", path="/sales", match={}, times=None, status=status) as rule:
        assert asyncio.run(first_event(trigger, 4 * PAUSE)) is None
        assert 2 <= rule.played <= 5


def test_the_server_may_ask_for_a_longer_pause(control: Control) -> None:
    trigger = trigger_for(NOT_YET)
    with control.scenario("rate_limited", path="/sales", match={}, times=None, retry_after=60) as rule:
        assert asyncio.run(first_event(trigger, 3 * PAUSE)) is None
        assert rule.played == 1


def test_an_error_other_than_404_fails_the_first_request(control: Control) -> None:
    with (
        control.scenario("client_error", path="/sales", match={}, status=401),
        pytest.raises(PermanentUpstreamError, match="tills_default answered 401"),
    ):
        sensor_for(NOT_YET).execute({})
    with (
        control.scenario("server_error", path="/sales", match={}),
        pytest.raises(TransientUpstreamError, match="tills_default answered 500"),
    ):
        sensor_for(NOT_YET).execute({})


@pytest.mark.parametrize("deferred", [False, True])
def test_a_redirect_is_not_followed(control: Control, deferred: bool) -> None:
    trigger = trigger_for(NOT_YET)
    with (
        serving() as (port, received),
        control.scenario("redirect", path="/sales", match={}, to=f"http://127.0.0.1:{port}/"),
    ):
        if deferred:
            assert asyncio.run(first_event(trigger, 2 * PAUSE)) is None
        else:
            with pytest.raises(PermanentUpstreamError, match="answered 302"):
                sensor_for(NOT_YET).execute({})
        assert received == []


@pytest.mark.parametrize(
    ("fields", "header"),
    [
        ({"password": KEY}, f"Authorization: Bearer {KEY}"),
        ({"login": "till", "password": KEY}, f"Authorization: Basic {b64encode(f'till:{KEY}'.encode()).decode()}"),
        ({"extra": {"X-Api-Key": KEY}}, f"X-Api-Key: {KEY}"),
    ],
    ids=["bearer", "basic", "header"],
)
def test_the_connections_credentials_are_sent(
    fields: dict[str, object], header: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def respond(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nclosed")  # no JSON

    with serving(respond) as (port, received):
        connection = {"conn_type": "http", "schema": "http", "host": "127.0.0.1", "port": port} | fields
        monkeypatch.setenv("AIRFLOW_CONN_TILLS_DEFAULT", json.dumps(connection))
        sensor_for("2010-12-20").execute({})
    assert header.encode() in received[0]
    assert received[0].startswith(b"GET /sales?date=2010-12-20 HTTP/1.1")


def test_an_option_of_the_provider_that_has_no_effect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = {"conn_type": "http", "host": "https://tills.example.com", "extra": {"verify": False}}
    monkeypatch.setenv("AIRFLOW_CONN_TILLS_DEFAULT", json.dumps(connection))
    with pytest.raises(ConfigurationError, match=r"'tills_default': extra\.verify: False isn't a string"):
        sensor_for(NOT_YET).execute({})


def test_the_trigger_fires_when_the_day_is_closed(control: Control) -> None:
    trigger = trigger_for(NOT_YET)
    trigger.request_params = {"date": "2010-12-20", "limit": "1"}
    with control.scenario("client_error", path="/sales", match={}, times=1, status=404):
        assert asyncio.run(first_event(trigger, 60)) is True


def test_a_wait_that_the_first_release_began_continues() -> None:
    trigger = http.PacedHttpTrigger(
        endpoint="sales",
        data={"date": NOT_YET},
        http_conn_id="tills_default",
        poke_interval=PAUSE,
        method="GET",
        headers={},
        extra_options={},
    )
    assert trigger.serialize() == trigger_for(NOT_YET).serialize()
