"""The deadline of a call: the client's own, unless the connection sets another."""

from __future__ import annotations

import json

import pytest

from include.core.errors import ConfigurationError
from include.core.http.client import Limits
from spellbook.hooks.weather import WeatherHook


def deadline(monkeypatch: pytest.MonkeyPatch, extra: dict[str, object]) -> float:
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", "postgresql://nowhere/none")
    monkeypatch.setenv("AIRFLOW_CONN_WEATHER_DEFAULT", json.dumps({"conn_type": "open_meteo", "extra": extra}))
    return WeatherHook().get_conn().api.limits.deadline


@pytest.mark.parametrize(
    ("extra", "seconds"), [({}, Limits().deadline), ({"deadline": None}, Limits().deadline), ({"deadline": "2.5"}, 2.5)]
)
def test_deadline(monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], seconds: float) -> None:
    assert deadline(monkeypatch, extra) == seconds


@pytest.mark.parametrize("wrong", [0, -1, "soon", [3]])
def test_a_wrong_deadline_is_named(monkeypatch: pytest.MonkeyPatch, wrong: object) -> None:
    with pytest.raises(
        ConfigurationError, match=r"connection 'weather_default': extra.deadline: .*positive number of seconds"
    ):
        deadline(monkeypatch, {"deadline": wrong})
