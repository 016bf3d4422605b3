"""Scenarios of the content: a 200 whose JSON is well formed and wrong.

They know the forms that the sample APIs share: parallel arrays beside ``time`` (Open-Meteo), objects of measures
(OpenWeather), rows in ``data`` (the sources). ``fields``, a comma list, narrows a change to the keys named.
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
"""Keys that are no measure: a change of measures leaves them as they are."""

TEMPERATURES = (
    "temperature_2m,temperature_2m_mean,temperature_2m_max,temperature_2m_min,"
    "temp,feels_like,temp_min,temp_max,dew_point"
)

DAY_KEYS = frozenset({"time", "dt", "InvoiceDate", "created_at", "since", "until", "date"})


def _measures(node: Json, change: Callable[[float], Json], fields: str, key: str = "") -> Json:
    """Copy ``node`` with every measure changed; a measure is a number under a key that isn't bookkeeping."""
    if isinstance(node, dict):
        return {
            name: value if name in BOOKKEEPING else _measures(value, change, fields, name)
            for name, value in node.items()
        }
    if isinstance(node, list):
        return [_measures(value, change, fields, key) for value in node]
    named = not fields or key in fields.split(",")
    return change(node) if named and isinstance(node, int | float) and not isinstance(node, bool) else node


@mutation
def wrong_types(body: Json, *, fields: str = "") -> Json:
    """Numbers as strings: ``"21.6"``."""
    return _measures(body, str, fields)


@mutation
def nan(body: Json, *, fields: str = "") -> Json:
    """A bare ``NaN`` for every measure: no JSON by the standard, yet Python's parser takes it."""
    return _measures(body, lambda _: float("nan"), fields)


@mutation
def null_values(body: Json, *, fields: str = "") -> Json:
    """Null for every measure."""
    return _measures(body, lambda _: None, fields)


@mutation
def out_of_range(
    body: Json,
    *,
    value: float = -400.0,
    fields: str = TEMPERATURES + ",UnitPrice,age",
) -> Json:
    """An impossible value, -400 °C unless told otherwise, for every temperature (a source's price or age)."""
    return _measures(body, lambda _: value, fields)


@mutation
def missing_city(body: Json, *, index: int = -1) -> Json:
    """One place left out of an answer for several; an answer for one keeps only nulls, a source's page no rows."""
    if isinstance(body, list):
        left = list(body)
        del left[index]
        return left
    return body | {"data": []} if "data" in body else _measures(body, lambda _: None, "")


@mutation
def missing_city_nulls(body: Json, *, index: int = -1) -> Json:
    """One place of an answer for several has only nulls; so has an answer for one."""
    if not isinstance(body, list):
        return _measures(body, lambda _: None, "")
    left = list(body)
    left[index] = _measures(left[index], lambda _: None, "")
    return left


@mutation
def duplicate_rows(body: Json) -> Json:
    """The last day (of every place), or the last row of a page, comes twice."""
    if isinstance(body, list):
        return [_last_twice(place) for place in body]
    return _last_twice(body)


def _last_twice(node: Json) -> Json:
    if isinstance(node, dict):
        return {name: _last_twice(value) for name, value in node.items()}
    return node + copy.deepcopy(node[-1:]) if isinstance(node, list) else node


@mutation
def next_link(body: Json, *, to: str = "http://169.254.169.254/latest/meta-data/") -> Json:
    """A source's page whose ``next`` leads elsewhere: to a cloud's metadata service, unless told otherwise."""
    return body | {"next": to} if isinstance(body, dict) and "next" in body else body


@mutation
def wrong_total(body: Json, *, by: int = 1) -> Json:
    """A source's page that announces ``by`` rows more than come."""
    return body | {"total": body["total"] + by} if isinstance(body, dict) and "total" in body else body


@mutation
def extra_field(body: Json, *, field: str = "added_field") -> Json:
    """A field that nobody knows, in every object and beside every parallel array."""
    return _extended(body, field)


def _extended(node: Json, field: str) -> Json:
    if isinstance(node, list):
        return [_extended(value, field) for value in node]
    if not isinstance(node, dict):
        return node
    beside = node.get("time")
    added = ["new"] * len(beside) if isinstance(beside, list) else "new"
    return {name: _extended(value, field) for name, value in node.items()} | {field: added}


@mutation
def stale_date(body: Json, *, days: int = 1) -> Json:
    """Yesterday's date: every day in the answer lies ``days`` back, the values stay."""
    return _earlier(body, timedelta(days), "")


def _earlier(node: Json, by: timedelta, key: str) -> Json:
    if isinstance(node, dict):
        return {name: _earlier(value, by, name) for name, value in node.items()}
    if isinstance(node, list):
        return [_earlier(value, by, key) for value in node]
    if key not in DAY_KEYS or node == "iso8601":
        return node
    if isinstance(node, int):
        return node - int(by.total_seconds())
    moved = datetime.fromisoformat(node) - by
    if len(node) == len("2024-06-01"):
        return moved.date().isoformat()
    return moved.isoformat(sep=node[10], timespec="minutes" if len(node) == len("2024-06-01T00:00") else "seconds")
