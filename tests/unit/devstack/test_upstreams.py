from __future__ import annotations

import hashlib
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from devstack.upstreams import stations
from devstack.upstreams.app import DATASETS
from devstack.upstreams.conditions import CONDITIONS
from devstack.upstreams.physics import dew_point, feels_like, sunrise_and_sunset
from devstack.upstreams.ratelimit import SlidingWindow
from devstack.upstreams.records import DATA, read_csv

REPOSITORY = Path(__file__).resolve().parents[3]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_no_window_of_sixty_seconds_ever_holds_more_than_the_limit() -> None:
    clock, admitted = Clock(), []
    window = SlidingWindow(60, seconds=60.0, clock=clock)
    for tenth in range(3000):
        clock.now = tenth / 10
        if window.admit("key"):
            admitted.append(clock.now)
    assert max(sum(start <= time < start + 60 for time in admitted) for start in admitted) == 60
    assert admitted[59:61] == [5.9, 60.0]
    assert window.admit("another key")


def test_refused_calls_do_not_count() -> None:
    clock = Clock()
    window = SlidingWindow(1, seconds=60.0, clock=clock)
    assert window.admit("key")
    clock.now = 59.9
    assert not window.admit("key")
    clock.now = 60.0
    assert window.admit("key")


@pytest.mark.parametrize("city", ["London", "New York", "Tokyo"])
def test_sunrise_and_sunset_agree_with_recorded_responses_to_three_minutes(city: str) -> None:
    group = json.loads((DATA / "api_samples/openweathermap/group_20cities_2025-08-28.json").read_text(encoding="utf-8"))
    recorded = next(city_data for city_data in group["list"] if city_data["name"] == city)
    served = sunrise_and_sunset(date(2025, 8, 28), recorded["coord"]["lat"], recorded["coord"]["lon"])
    assert served == pytest.approx((recorded["sys"]["sunrise"], recorded["sys"]["sunset"]), abs=180)


def test_dew_point_and_apparent_temperature_agree_with_published_values() -> None:
    recorded = json.loads((DATA / "api_samples/openweathermap/onecall3_timemachine_2024-10-19.json").read_text())
    hour = recorded["data"][0]
    assert dew_point(hour["temp"] - 273.15, hour["humidity"]) == pytest.approx(hour["dew_point"] - 273.15, abs=0.1)
    assert dew_point(20.0, 100.0) == pytest.approx(20.0)
    assert feels_like(30.0, 50.0, 2.0) == pytest.approx(31.6, abs=0.1)


def test_every_recorded_condition_has_codes() -> None:
    for city in stations.recorded().values():
        assert city
    assert {condition.main for condition in CONDITIONS.values()} == {
        "Clear", "Clouds", "Drizzle", "Fog", "Haze", "Mist", "Rain", "Smoke", "Snow",
    }  # fmt: skip


def test_recordings_hold_the_days_that_about_lists() -> None:
    stated = {dataset.name: (dataset.first_day, dataset.last_day) for dataset in DATASETS}
    for name, file in (
        ("openweather_daily", "owm_daily_newyork_london_tokyo"),
        ("noaa_daily", "noaa_daily_seattle_newyork"),
    ):
        days = [row["date"] for row in read_csv(f"weather/{file}.csv")]
        assert (min(days), max(days)) == stated[name]
    assert stations.span() == (date(2012, 1, 1), date(2024, 12, 31))
    retail = sorted(path.stem.removeprefix("online_retail_") for path in (DATA / "retail").iterdir())
    assert (retail[0], retail[-1]) == stated["sales"]
    created = [row["created_at"][:10] for row in read_csv("support/nyc311_animal_requests.csv")]
    assert (min(created), max(created)) == stated["support"]


@pytest.mark.parametrize(
    ("latitude", "longitude", "name"),
    [(51.5, -0.25, "London"), (40.64, -73.78, "New York"), (35.55, 139.78, "Tokyo"), (47.45, -122.31, "Seattle")],
)
def test_the_nearest_city_serves_its_surroundings(latitude: float, longitude: float, name: str) -> None:
    station = stations.nearest(latitude, longitude)
    assert station
    assert station.name == name


def test_no_city_serves_distant_coordinates() -> None:
    assert stations.nearest(52.48, -1.9) is None


def test_bundled_files_are_the_ones_that_the_readme_lists() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([^`]+)` \| \d+ \| `([0-9a-f]{64})` \|$", readme, re.MULTILINE))
    folders = ("api_samples", "marketing", "retail", "support", "weather")
    bundled = {
        path.relative_to(DATA).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for folder in folders
        for path in (DATA / folder).rglob("*")
        if path.is_file()
    }
    assert {name: digest for name, digest in listed.items() if name.startswith(folders)} == bundled


def test_starting_imports_nothing_heavy() -> None:
    program = "import sys, devstack.upstreams.server; print(*{name.split('.')[0] for name in sys.modules})"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=REPOSITORY, capture_output=True, text=True, timeout=30, check=True
    )
    assert not {"airflow", "fastapi", "numpy", "pandas", "pydantic", "sqlalchemy"} & set(run.stdout.split())
