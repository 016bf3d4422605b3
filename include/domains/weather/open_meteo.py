"""Open-Meteo's client and wire format: one request for several cities, and the parser of its response.

Format: https://open-meteo.com/en/docs (``/v1/forecast`` and ``/v1/archive``, daily variables).
Data by Open-Meteo.com, CC BY 4.0.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from typing_extensions import override

from include.core.warehouse.dataset import Rejected
from include.domains.weather.client import WeatherClient
from include.domains.weather.conditions import from_wmo_code
from include.domains.weather.observations import Record, Response, Source, observe

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.domains.weather.cities import City

TEMPERATURE = "temperature_2m_mean"
CODE = "weather_code"
GRID_RADIUS = 1.0
"""Degrees. A response has the coordinates of a grid cell, within half a degree of the requested ones."""

ARCHIVE_LAG = dt.timedelta(days=6)
"""The archive is complete after about five days; the forecast endpoint serves more recent days."""


@dataclass(frozen=True)
class OpenMeteo(WeatherClient):
    """Open-Meteo's forecast and archive; only paying customers have a key.

    Attributes:
        archive: like ``base``, for the archive.
    """

    source: ClassVar[Source] = "open_meteo"
    name: ClassVar[str] = "Open-Meteo"
    default_url: ClassVar[str] = "https://api.open-meteo.com"
    default_archive_url: ClassVar[str] = "https://archive-api.open-meteo.com"
    key_parameter: ClassVar[str] = "apikey"
    calls_per_minute: ClassVar[int] = 180  # of 600 by weight, which increases with the number of cities in a call

    archive: str

    @override
    def request(self, cities: tuple[City, ...], date: dt.date, requested_on: dt.date) -> tuple[Response, ...]:
        """Make one call, to the forecast endpoint if the archive doesn't have the day yet."""
        path = endpoint(date, requested_on)
        url = f"{self.archive if path == 'archive' else self.base}/v1/{path}"
        response = self.get(url, parameters(cities, date), "daily")
        return (Response(cities=cities, url=url, body=response.text, replayed_from=response.replayed_from),)


def endpoint(date: dt.date, requested_on: dt.date) -> Literal["archive", "forecast"]:
    """Return the endpoint that has ``date`` on the day ``requested_on``."""
    return "archive" if requested_on - date >= ARCHIVE_LAG else "forecast"


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


def read(response: Response) -> Iterator[Record]:
    """Yield one record for each city and day in the response.

    The response is an object for one location and a list for several, without city names. Each location is matched to
    the city at the same position of the request, or, if that is too far away or the lengths differ, to the nearest.
    """
    content = json.loads(response.body)
    locations = content if isinstance(content, list) else [content]
    in_order = len(locations) == len(response.cities)
    for position, location in enumerate(locations):
        if not isinstance(location, dict):
            yield Rejected(
                {"response": location}, f"response: expected an object for a location, got {type(location).__name__}"
            )
            continue
        same_position = response.cities[position : position + 1] if in_order else ()
        city = _match(location, same_position) or _match(location, response.cities)
        if city is None:
            requested = ", ".join(f"{city.name} ({city.latitude}, {city.longitude})" for city in response.cities)
            yield Rejected(
                location, f"latitude, longitude: not within {GRID_RADIUS:g}° of a requested city: {requested}"
            )
            continue
        yield from _days(location, city, response.replayed_from)


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
