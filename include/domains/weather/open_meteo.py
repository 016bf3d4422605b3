"""Open-Meteo's wire format: one request for several cities, and how its answer is read.

Format: https://open-meteo.com/en/docs (``/v1/forecast`` and ``/v1/archive``, daily variables).
Data by Open-Meteo.com, CC BY 4.0.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any, Literal

from include.core.warehouse.dataset import Rejected
from include.domains.weather.conditions import from_wmo_code
from include.domains.weather.observations import Answer, Record, observe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.domains.weather.cities import City

TEMPERATURE = "temperature_2m_mean"
CODE = "weather_code"
GRID_RADIUS = 1.0
"""Degrees. An answer carries its grid cell's coordinates, which lie within half a degree of those asked for."""

ARCHIVE_LAG = dt.timedelta(days=6)
"""The archive is complete about five days after the fact; younger days are served by the forecast endpoint."""


def endpoint(date: dt.date, asked_on: dt.date) -> Literal["archive", "forecast"]:
    """Choose the endpoint that has ``date`` when it is asked for on ``asked_on``."""
    return "archive" if asked_on - date >= ARCHIVE_LAG else "forecast"


def parameters(cities: Sequence[City], date: dt.date) -> dict[str, str]:
    """Return the query of one request for one UTC day of all ``cities``."""
    return {
        "latitude": ",".join(str(city.latitude) for city in cities),
        "longitude": ",".join(str(city.longitude) for city in cities),
        "daily": f"{TEMPERATURE},{CODE}",
        "start_date": date.isoformat(),
        "end_date": date.isoformat(),
        "timezone": "GMT",
        "temperature_unit": "celsius",
    }


def read(answer: Answer) -> Iterator[Record]:
    """Yield one record for each city and day in the answer.

    One location is answered as an object, several as a list. An answer names no city: each is matched to the city asked
    for by its place in the list, or, if that is far away or the list has another length, by the nearest coordinates.
    """
    content = json.loads(answer.body)
    locations = content if isinstance(content, list) else [content]
    in_order = len(locations) == len(answer.cities)
    for place, location in enumerate(locations):
        if not isinstance(location, dict):
            yield Rejected(
                {"answer": location}, f"answer: expected an object for a location, got {type(location).__name__}"
            )
            continue
        own = answer.cities[place : place + 1] if in_order else ()
        city = _match(location, own) or _match(location, answer.cities)
        if city is None:
            asked = ", ".join(f"{one.name} ({one.latitude}, {one.longitude})" for one in answer.cities)
            yield Rejected(
                location, f"latitude, longitude: within {GRID_RADIUS:g}° of no city that was asked for: {asked}"
            )
            continue
        yield from _days(location, city, answer.replayed_from)


def _match(location: dict[str, Any], cities: Sequence[City]) -> City | None:
    latitude, longitude = location.get("latitude"), location.get("longitude")
    if not isinstance(latitude, int | float) or not isinstance(longitude, int | float):
        return None

    def distance(city: City) -> float:
        return max(abs(latitude - city.latitude), abs((longitude - city.longitude + 180) % 360 - 180))

    near = [city for city in cities if distance(city) <= GRID_RADIUS]
    return min(near, key=distance, default=None)


def _days(location: dict[str, Any], city: City, replayed_from: dt.date | None) -> Iterator[Record]:
    row: dict[str, Any] = {"city": city.name, **location}
    try:
        daily, unit = location["daily"], location["daily_units"][TEMPERATURE]
        columns = [daily[name] for name in ("time", TEMPERATURE, CODE)]
    except (KeyError, TypeError):
        yield Rejected(row, f"daily, daily_units: time, {TEMPERATURE} or {CODE} is missing")
        return
    if unit != "°C":
        yield Rejected(row, f"daily_units.{TEMPERATURE}: {unit!r} instead of '°C'")
        return
    if not all(isinstance(column, list) for column in columns) or len({len(column) for column in columns}) != 1:
        yield Rejected(row, f"daily: time, {TEMPERATURE} and {CODE} must be lists of the same length")
        return
    for time, temperature, code in zip(*columns, strict=True):
        day = {"city": city.name, "time": time, TEMPERATURE: temperature, CODE: code}
        try:
            conditions, date = from_wmo_code(code), dt.date.fromisoformat(time)
        except (ValueError, TypeError) as error:
            yield Rejected(day, str(error))
            continue
        yield observe(
            day,
            date=date,
            city=city.name,
            temperature_c=temperature,
            conditions=conditions,
            source="open_meteo",
            replayed_from=replayed_from,
        )
