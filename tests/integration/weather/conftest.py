"""The weather hooks on the sample upstreams, and a database for the rate limit."""

from __future__ import annotations

import datetime as dt
import json
import secrets
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

from include.core.http.client import Limits
from include.core.http.rate_limit import RateLimiter
from spellbook.hooks.base import WeatherHook
from spellbook.hooks.weather import HOOKS

if TYPE_CHECKING:
    from devstack.postgres import Postgres

DAY = dt.date(2024, 6, 1)
ASKED_ON = dt.date(2024, 12, 31)
TODAY = dt.datetime.now(dt.UTC).date()
YESTERDAY = TODAY - dt.timedelta(days=1)
PATHS = {"open_meteo": "/v1/archive", "openweathermap": "/data/3.0/onecall/timemachine"}

Build = Callable[..., WeatherHook]


@pytest.fixture
def key() -> str:
    """An API key of its own, since the upstreams count the calls of each."""
    return secrets.token_hex(16)


@pytest.fixture(scope="session")
def ledger(postgres: Postgres) -> str:
    """Database in which the rate limiters of all tests keep their books, each under its own name."""
    postgres.create_database("rate_limits")
    return postgres.uri("rate_limits")


@pytest.fixture
def build(upstreams: str, ledger: str, key: str, monkeypatch: pytest.MonkeyPatch) -> Build:
    """Make a hook of the type asked for, with a connection to the sample upstreams and little patience."""

    def hook(conn_type: str, password: str | None = None, **bounds: float) -> WeatherHook:
        if conn_type == "openweathermap" and password is None:
            password = key
        connection = {"conn_type": conn_type, "host": upstreams, "password": password}
        monkeypatch.setenv("AIRFLOW_CONN_WEATHER_DEFAULT", json.dumps(connection))
        known: dict[str, Any] = {"deadline": 8.0, "connect": 1.0, "silence": 1.0, "size": 1_000_000, "backoff": 0.01}
        limits = Limits(**(known | bounds))
        limiter = RateLimiter(ledger, f"{conn_type} {key}", calls=HOOKS[conn_type].calls_per_minute)
        return HOOKS[conn_type]("weather_default", limiter=limiter, limits=limits)

    return hook
