"""Three months of the archive, backfilled through Airflow, again, and in shuffled order: the same table each time."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from airflow.sdk import ObjectStoragePath

from devstack.stack import Stack
from include.core.http.rate_limit import RateLimiter
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.digest import table_digest
from include.domains.weather import pipeline
from include.domains.weather.cities import load_cities
from include.domains.weather.datasets import WEATHER_DATA
from spellbook.hooks.weather import WeatherHook
from tests.integration.runs.conftest import Make, server

FIRST, LAST = date(2023, 3, 1), date(2023, 5, 31)
DAYS = [FIRST + timedelta(days=offset) for offset in range((LAST - FIRST).days + 1)]
SEED = 20230301


@pytest.mark.weekly
def test_the_order_and_number_of_runs_do_not_change_the_table(
    make_run: Make, stack: Stack, warehouse: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = server(stack).uri("warehouse")
    digests = []
    for _ in range(2):
        result = make_run("weather_data_pipeline", FIRST, LAST, kind="backfill")
        assert result.good, result.text
        digests.append(_digest(published))

    monkeypatch.setenv("AIRFLOW_CONN_WEATHER_DEFAULT", stack.airflow_environment()["AIRFLOW_CONN_WEATHER_DEFAULT"])
    monkeypatch.setenv("AIRFLOW_CONN_POSTGRES_DEFAULT", warehouse)
    pipeline.create_table(warehouse)
    client = WeatherHook().get_conn()
    client = replace(client, api=replace(client.api, limiter=RateLimiter(warehouse, "open_meteo", calls=10_000)))
    root = ObjectStoragePath(url_of(tmp_path))
    for day in random.Random(SEED).sample(DAYS, len(DAYS)):
        cities = [city.name for city in load_cities()]
        raw = pipeline.extract(
            client, root, cities=cities, date=day, requested_on=date(2024, 12, 31), run_id="shuffled"
        )
        pipeline.load(
            ObjectStoragePath(pipeline.transform(ObjectStoragePath(raw))),
            warehouse,
            Attempt("weather_data_pipeline", "load_weather", f"shuffled-{day}", 1),
        )
    assert _rows(warehouse) == _rows(published) == 3 * len(DAYS)
    assert {*digests, _digest(warehouse)} == {digests[0]}


def _digest(uri: str) -> tuple[str, ...]:
    with connect(uri) as session:
        return tuple(table_digest(session, WEATHER_DATA, day) for day in DAYS)


def _rows(uri: str) -> int:
    with connect(uri) as session:
        [(rows,)] = session.execute("SELECT count(*) FROM weather_data WHERE date BETWEEN %s AND %s", [FIRST, LAST])
    assert isinstance(rows, int)
    return rows
