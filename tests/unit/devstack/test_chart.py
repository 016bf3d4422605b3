"""The chart of ``make run``, as text and as an image."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from matplotlib.image import imread

from devstack import chart

CREDIT = "recorded data of 2012-01-01 to 2024-12-31. Somebody is to be named."
CITIES = {"London": 61.5, "New York": 78.25, "Tokyo": 70.0}


def published(days: int, cities: dict[str, float]) -> list[dict[str, Any]]:
    return [
        {
            "date": date(2024, 6, 1) + timedelta(days=day),
            "city": city,
            "temperature": warmth + day,
            "conditions": "Rain",
        }
        for day in range(days)
        for city, warmth in cities.items()
    ]


def test_one_day_is_a_bar_for_each_city() -> None:
    drawn = chart.in_terminal(published(1, CITIES))
    assert "\x1b" not in drawn
    lines = {city: next(line for line in drawn.splitlines() if city in line) for city in CITIES}
    assert lines["London"].count("▇") < lines["Tokyo"].count("▇") < lines["New York"].count("▇")


def test_several_days_are_a_line_for_each_city() -> None:
    drawn = chart.in_terminal(published(30, CITIES))
    assert "\x1b" not in drawn
    assert all(city in drawn for city in CITIES)
    assert "2024-06-01" in drawn
    assert all(drawn.count(marker) > 5 for marker in "●▲■")


def test_no_city_is_left_out_of_many() -> None:
    many = {f"City {letter}": 40.0 + 3 * index for index, letter in enumerate("ABCDEFGHIJ")}
    drawn = chart.in_terminal(published(5, many))
    assert all(city in drawn for city in many)


def test_a_city_without_a_day_is_still_drawn() -> None:
    rows = published(3, CITIES)
    del rows[0]
    assert "London" in chart.in_terminal(rows)


def test_a_shortened_table_shows_the_number_of_rows() -> None:
    drawn = chart.table(published(5, CITIES), most=12)
    assert drawn.row_count == 12
    assert drawn.title == "weather_data: 15 rows, the first 12"


@pytest.mark.parametrize("days", [1, 30])
def test_the_picture_is_not_blank(tmp_path: Path, days: int) -> None:
    path = tmp_path / "folder" / "chart.png"
    chart.picture(published(days, CITIES), CREDIT, path)
    pixels = imread(path)
    height, width = pixels.shape[:2]
    assert width >= 900
    assert height >= 450
    ink = (pixels[..., :3].min(axis=2) < 0.9).mean()
    assert 0.01 < ink < 0.7


def test_pictures_of_other_data_differ(tmp_path: Path) -> None:
    for name, cities in (("a", CITIES), ("b", CITIES | {"Tokyo": 30.0}), ("c", CITIES)):
        chart.picture(published(7, cities), CREDIT, tmp_path / f"{name}.png")
    a, b, c = ((tmp_path / f"{name}.png").read_bytes() for name in "abc")
    assert a == c != b
