"""Extract, transform and load together: the rows in the table, and the load log."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from airflow.sdk import ObjectStoragePath

from include.core.errors import ConfigurationError
from include.core.storage import url_of
from include.core.warehouse.attempt import Attempt
from include.core.warehouse.connect import connect
from include.core.warehouse.digest import table_digest
from include.core.warehouse.errors import IncompleteLoadError, SupersededError
from include.domains.weather import pipeline
from include.domains.weather.datasets import WEATHER_DATA
from tests.integration.weather.conftest import DAY, PATHS, REQUESTED_ON, TODAY, YESTERDAY, Build

if TYPE_CHECKING:
    from pathlib import Path

    from devstack.upstreams.client import Control

NAMES = ["New York", "London", "Tokyo"]

Run = Callable[..., None]


@pytest.fixture
def run(build: Build, warehouse: str, tmp_path: Path) -> Run:
    """Run all steps for one day."""
    pipeline.create_table(warehouse)

    def steps(
        api: str = "open_meteo",
        *,
        date: dt.date = DAY,
        cities: list[str | dict[str, Any]] | None = None,
        run_id: str = "run",
        requested_on: dt.date = REQUESTED_ON,
    ) -> None:
        root = ObjectStoragePath(url_of(tmp_path))
        raw = pipeline.extract(
            build(api), root, cities=cities or NAMES, date=date, requested_on=requested_on, run_id=run_id
        )
        attempt = Attempt("weather_data_pipeline", "load_weather", f"{run_id}-{date}", 1)
        pipeline.load(ObjectStoragePath(pipeline.transform(ObjectStoragePath(raw))), warehouse, attempt)

    return steps


def rows(warehouse: str) -> list[tuple[object, ...]]:
    with psycopg.connect(warehouse) as session:
        return session.execute(
            "SELECT date, city, temperature, temperature_unit, conditions FROM weather_data ORDER BY date, city"
        ).fetchall()


def last_load(warehouse: str) -> tuple[object, ...] | None:
    with psycopg.connect(warehouse) as session:
        return session.execute(
            "SELECT rows_in, loaded, quarantined, complete, missing FROM load_log ORDER BY load_id DESC LIMIT 1"
        ).fetchone()


@pytest.mark.parametrize("api", PATHS)
def test_a_day_is_loaded_once_however_often_it_runs(run: Run, warehouse: str, control: Control, api: str) -> None:
    run(api)
    first = rows(warehouse)
    assert [(row[0], row[1], row[3]) for row in first] == [(DAY, city, "°F") for city in sorted(NAMES)]
    assert last_load(warehouse) == (3, 3, 0, True, [])
    run(api, run_id="again")
    assert rows(warehouse) == first
    assert control.requests()


def test_a_day_that_was_requested_earlier_and_is_loaded_later_is_superseded(
    build: Build, warehouse: str, tmp_path: Path
) -> None:
    pipeline.create_table(warehouse)
    root = ObjectStoragePath(url_of(tmp_path))
    early, late = (
        ObjectStoragePath(
            pipeline.transform(
                ObjectStoragePath(
                    pipeline.extract(
                        build("open_meteo"), root, cities=NAMES, date=DAY, requested_on=REQUESTED_ON, run_id=run_id
                    )
                )
            )
        )
        for run_id in ("early", "late")
    )
    pipeline.load(late, warehouse, Attempt("weather_data_pipeline", "load_weather", "late", 1))
    with pytest.raises(SupersededError):
        pipeline.load(early, warehouse, Attempt("weather_data_pipeline", "load_weather", "early", 1))


@pytest.mark.parametrize("api", PATHS)
@pytest.mark.parametrize("day", [YESTERDAY, dt.date(2013, 6, 1)])
def test_a_replayed_day_is_loaded_as_the_requested_day_and_labelled(
    run: Run, warehouse: str, tmp_path: Path, api: str, day: dt.date
) -> None:
    run(api, date=day, requested_on=TODAY)
    recorded = day.replace(year=2024)
    with psycopg.connect(warehouse) as session:
        labels = session.execute(
            "SELECT date, city, source, replayed_from FROM weather_data JOIN load_log USING (load_id) ORDER BY city"
        ).fetchall()
    assert labels == [(day, city, f"{api}, replay of {recorded}", recorded) for city in sorted(NAMES)]
    [raw] = tmp_path.glob(f"weather/raw/day={day}/*.json")
    assert {response["replayed_from"] for response in json.loads(raw.read_text())["responses"]} == {
        recorded.isoformat()
    }
    replayed = rows(warehouse)
    run(api, date=recorded, requested_on=TODAY)
    assert [row[1:] for row in rows(warehouse) if row[0] == recorded] == [row[1:] for row in replayed]
    with psycopg.connect(warehouse) as session:
        assert session.execute("SELECT replayed_from FROM load_log ORDER BY load_id DESC LIMIT 1").fetchone() == (None,)


def test_a_missing_city_fails_by_name_after_the_others_are_loaded(run: Run, warehouse: str, control: Control) -> None:
    with (
        control.scenario("missing_city", index=2),
        pytest.raises(IncompleteLoadError, match="weather_data, partition 2024-06-01: incomplete, missing: Tokyo"),
    ):
        run()
    assert [row[1] for row in rows(warehouse)] == ["London", "New York"]
    assert last_load(warehouse) == (2, 2, 0, False, ["Tokyo"])
    run(run_id="later")
    assert len(rows(warehouse)) == 3
    assert last_load(warehouse) == (3, 3, 0, True, [])


@pytest.mark.parametrize("scenario", ["wrong_types", "nan", "null_values", "out_of_range", "stale_date"])
def test_without_valid_rows_nothing_is_published(run: Run, warehouse: str, control: Control, scenario: str) -> None:
    run()
    before = rows(warehouse)
    with control.scenario(scenario), pytest.raises(IncompleteLoadError, match="missing: London, New York, Tokyo"):
        run(run_id="bad")
    assert rows(warehouse) == before
    assert last_load(warehouse) == (3, 0, 3, False, ["London", "New York", "Tokyo"])
    with psycopg.connect(warehouse) as session:
        reasons = session.execute("SELECT DISTINCT reason <> '', source_row ? 'city' FROM quarantine").fetchall()
    assert reasons == [(True, True)]


def test_duplicates_are_quarantined_and_the_day_is_complete(run: Run, warehouse: str, control: Control) -> None:
    with control.scenario("duplicate_rows"):
        run()
    assert len(rows(warehouse)) == 3
    assert last_load(warehouse) == (6, 3, 3, True, [])


def test_a_run_for_another_city_leaves_the_others(run: Run, warehouse: str, control: Control) -> None:
    run()
    run(cities=[{"name": "Camden", "latitude": 51.53, "longitude": -0.14}], run_id="camden")
    assert [row[1] for row in rows(warehouse)] == ["Camden", "London", "New York", "Tokyo"]
    assert control.requests()


def test_an_unknown_city_is_refused_before_any_call(run: Run, control: Control) -> None:
    with pytest.raises(ConfigurationError, match="'Paris' is unknown; name one of New York, London, Tokyo"):
        run(cities=["Paris"])
    assert control.requests() == []


def test_the_raw_response_is_stored_by_date_and_run(run: Run, tmp_path: Path, control: Control) -> None:
    run()
    run()
    files = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert files == [
        "weather/observations/day=2024-06-01/run.parquet",
        "weather/raw/day=2024-06-01/run.json",
        "weather/rejected/day=2024-06-01/run.jsonl",
    ]
    assert control.requests()


def test_days_loaded_in_any_order_give_the_same_table(run: Run, warehouse: str, control: Control) -> None:
    days = [dt.date(2024, 3, 1) + dt.timedelta(days=number) for number in range(10)]

    def digest(order: list[dt.date], run_id: str) -> str:
        for day in order:
            run(date=day, run_id=run_id)
        with connect(warehouse) as session:
            return table_digest(session, WEATHER_DATA)

    assert digest(days, "first") == digest(days[1::2] + days[::-2], "second")
    assert len(rows(warehouse)) == 30
    assert control.requests()
