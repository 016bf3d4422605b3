"""The weather clients on the sample upstreams, and a database for the rate limit."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from include.core.http.client import Limits
from include.core.http.rate_limit import RateLimiter
from include.domains.weather.client import WeatherClient
from spellbook.hooks.weather import WeatherHook

DAY = dt.date(2024, 6, 1)
REQUESTED_ON = dt.date(2024, 12, 31)
TODAY = dt.datetime.now(dt.UTC).date()
YESTERDAY = TODAY - dt.timedelta(days=1)
PATHS = {"open_meteo": "/v1/archive", "openweathermap": "/data/3.0/onecall/timemachine"}

Build = Callable[..., WeatherClient]


@pytest.fixture
def key() -> str:
    """An API key for this test, since the upstreams count the calls of each key."""
    return secrets.token_hex(16)


@pytest.fixture
def build(upstreams: str, ledger: str, key: str, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Create a client of the given type, from a connection to the sample upstreams, with short time-outs."""
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", ledger)

    def client(
        conn_type: str, password: str | None = None, fields: Mapping[str, object] | None = None, **bounds: float
    ) -> WeatherClient:
        if conn_type == "openweathermap" and password is None:
            password = key
        connection = {"conn_type": conn_type, "password": password} | dict(fields or {"host": upstreams})
        monkeypatch.setenv("AIRFLOW_CONN_WEATHER_DEFAULT", json.dumps(connection))
        weather_client = WeatherHook().get_conn()
        assert isinstance(weather_client.api.limiter, RateLimiter)
        limiter = replace(weather_client.api.limiter, name=f"{conn_type} {key}")
        known: dict[str, Any] = {"deadline": 8.0, "connect": 1.0, "silence": 1.0, "size": 1_000_000, "backoff": 0.01}
        return replace(
            weather_client, api=replace(weather_client.api, limits=Limits(**(known | bounds)), limiter=limiter)
        )

    return client
