"""The deadline of a call: the hook's own, unless the connection asks for another."""

from __future__ import annotations

import json

import pytest

from include.core.errors import ConfigurationError
from include.core.http.client import Limits
from include.core.http.rate_limit import RateLimiter
from spellbook.hooks.open_meteo import OpenMeteoHook


def hook(monkeypatch: pytest.MonkeyPatch, extra: dict[str, object]) -> OpenMeteoHook:
    monkeypatch.setenv("AIRFLOW_CONN_WEATHER_DEFAULT", json.dumps({"conn_type": "open_meteo", "extra": extra}))
    return OpenMeteoHook(limiter=RateLimiter("postgresql://nowhere/none", "open_meteo", calls=1))


@pytest.mark.parametrize(
    ("extra", "seconds"), [({}, Limits().deadline), ({"deadline": None}, Limits().deadline), ({"deadline": "2.5"}, 2.5)]
)
def test_deadline(monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], seconds: float) -> None:
    assert hook(monkeypatch, extra).bounds().deadline == seconds


@pytest.mark.parametrize("wrong", [0, -1, "soon", [3]])
def test_a_wrong_deadline_is_named(monkeypatch: pytest.MonkeyPatch, wrong: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"connection 'weather_default': deadline: .*positive number of seconds"
    ):
        hook(monkeypatch, {"deadline": wrong}).bounds()
