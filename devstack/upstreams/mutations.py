"""Content scenarios: a 200 with valid JSON that is wrong.

They handle the formats of the sample APIs: parallel arrays beside ``time`` (Open-Meteo), objects of measurements
(OpenWeather), rows in ``data`` (the sources). ``fields``, comma-separated, limits a change to these keys.
"""

from __future__ import annotations

import copy
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from devstack.upstreams.scenarios import Json, mutation

if TYPE_CHECKING:
    from collections.abc import Callable

BOOKKEEPING = frozenset({
    "latitude", "longitude", "elevation", "generationtime_ms", "utc_offset_seconds", "location_id", "interval", "time",
    "coord", "lat", "lon", "dt", "sys", "sunrise", "sunset", "timezone", "timezone_offset", "cod", "id", "cnt",
    "page", "pages", "limit", "total", "progress", "seconds",
})  # fmt: skip
"""Keys that are not measurements, which changes of measurements leave alone."""

TEMPERATURES = (
    "temperature_2m,temperature_2m_mean,temperature_2m_max,temperature_2m_min,"
    "temp,feels_like,temp_min,temp_max,dew_point"
)

DAY_KEYS = frozenset({"time", "dt", "InvoiceDate", "created_at", "since", "until", "date"})


def _change_measurements(node: Json, change: Callable[[float], Json], fields: str, key: str = "") -> Json:
    """Copy ``node`` with every measurement changed: a number under a key that isn't bookkeeping."""
    if isinstance(node, dict):
        return {
            name: value if name in BOOKKEEPING else _change_measurements(value, change, fields, name)
            for name, value in node.items()
        }
    if isinstance(node, list):
        return [_change_measurements(value, change, fields, key) for value in node]
    is_selected = not fields or key in fields.split(",")
    return change(node) if is_selected and isinstance(node, int | float) and not isinstance(node, bool) else node


@mutation
def wrong_types(body: Json, *, fields: str = "") -> Json:
    """Numbers as strings: ``"21.6"``."""
    return _change_measurements(body, str, fields)


@mutation
def nan(body: Json, *, fields: str = "") -> Json:
    """A bare ``NaN`` for every measurement: not valid JSON, yet Python's parser accepts it."""
    return _change_measurements(body, lambda _: float("nan"), fields)


@mutation
def null_values(body: Json, *, fields: str = "") -> Json:
    """Null for every measurement."""
    return _change_measurements(body, lambda _: None, fields)


@mutation
def out_of_range(
    body: Json,
    *,
    value: float = -400.0,
    fields: str = TEMPERATURES + ",UnitPrice,age",
) -> Json:
    """An impossible value, -400 °C by default, for every temperature (a source's price or age)."""
    return _change_measurements(body, lambda _: value, fields)


@mutation
def missing_city(body: Json, *, index: int = -1) -> Json:
    """One place omitted from a response for several; one for a single place has only nulls, a source's page no rows."""
    if isinstance(body, list):
        places = list(body)
        del places[index]
        return places
    return body | {"data": []} if "data" in body else _change_measurements(body, lambda _: None, "")


@mutation
def missing_city_nulls(body: Json, *, index: int = -1) -> Json:
    """Only nulls for one place of a response for several, or for the only place."""
    if not isinstance(body, list):
        return _change_measurements(body, lambda _: None, "")
    places = list(body)
    places[index] = _change_measurements(places[index], lambda _: None, "")
    return places


@mutation
def duplicate_rows(body: Json) -> Json:
    """The last day (of every place), or the last row of a page, is repeated."""
    if isinstance(body, list):
        return [_repeat_last(place) for place in body]
    return _repeat_last(body)


def _repeat_last(node: Json) -> Json:
    if isinstance(node, dict):
        return {name: _repeat_last(value) for name, value in node.items()}
    return node + copy.deepcopy(node[-1:]) if isinstance(node, list) else node


@mutation
def next_link(body: Json, *, to: str = "http://169.254.169.254/latest/meta-data/") -> Json:
    """A source's page whose ``next`` points elsewhere: by default to a cloud's metadata service."""
    return body | {"next": to} if isinstance(body, dict) and "next" in body else body


@mutation
def wrong_total(body: Json, *, by: int = 1) -> Json:
    """A source's page that announces ``by`` more rows than it sends."""
    return body | {"total": body["total"] + by} if isinstance(body, dict) and "total" in body else body


@mutation
def extra_field(body: Json, *, field: str = "added_field") -> Json:
    """An unknown field, in every object and beside every parallel array."""
    return _add_field(body, field)


def _add_field(node: Json, field: str) -> Json:
    if isinstance(node, list):
        return [_add_field(value, field) for value in node]
    if not isinstance(node, dict):
        return node
    times = node.get("time")
    added = ["new"] * len(times) if isinstance(times, list) else "new"
    return {name: _add_field(value, field) for name, value in node.items()} | {field: added}


@mutation
def stale_date(body: Json, *, days: int = 1) -> Json:
    """Yesterday's date: every date in the response is moved back by ``days``, the values are kept."""
    return _move_back(body, timedelta(days), "")


def _move_back(node: Json, by: timedelta, key: str) -> Json:
    if isinstance(node, dict):
        return {name: _move_back(value, by, name) for name, value in node.items()}
    if isinstance(node, list):
        return [_move_back(value, by, key) for value in node]
    if key not in DAY_KEYS or node == "iso8601":
        return node
    if isinstance(node, int):
        return node - int(by.total_seconds())
    moved = datetime.fromisoformat(node) - by
    if len(node) == len("2024-06-01"):
        return moved.date().isoformat()
    return moved.isoformat(sep=node[10], timespec="minutes" if len(node) == len("2024-06-01T00:00") else "seconds")
