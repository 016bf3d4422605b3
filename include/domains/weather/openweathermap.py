"""OpenWeather's client and wire format: One Call "timemachine", one request for each city.

Format: https://openweathermap.org/api/one-call-3 ("Weather data for timestamp"). Data by OpenWeather.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from include.core.warehouse.dataset import Rejected
from include.domains.weather.client import WeatherClient
from include.domains.weather.conditions import from_openweather_id
from include.domains.weather.observations import Record, Response, Source, observe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.domains.weather.cities import City

READING_HOUR = 12
"""UTC. The reading at noon represents the day: a daily mean would take 24 calls for each city, of 60 a minute."""


@dataclass(frozen=True)
class OpenWeatherMap(WeatherClient):
    """OpenWeather's One Call "timemachine"; the plan that includes it allows 60 calls a minute."""

    source: ClassVar[Source] = "openweathermap"
    name: ClassVar[str] = "OpenWeatherMap"
    default_url: ClassVar[str] = "https://api.openweathermap.org"
    key_parameter: ClassVar[str] = "appid"
    calls_per_minute: ClassVar[int] = 60

    @override
    def request(self, cities: tuple[City, ...], date: dt.date, requested_on: dt.date) -> tuple[Response, ...]:
        """Make one call for each city."""
        url = f"{self.base}/data/3.0/onecall/timemachine"
        responses = [(city, self.get(url, parameters(city, date), "data")) for city in cities]
        return tuple(
            Response(cities=(city,), url=url, body=response.text, replayed_from=response.replayed_from)
            for city, response in responses
        )


def parameters(city: City, date: dt.date) -> dict[str, str]:
    """Return the query for the reading of ``city`` at noon UTC of ``date``, in °C, without the key."""
    moment = dt.datetime.combine(date, dt.time(READING_HOUR), dt.UTC)
    return {
        "lat": str(city.latitude),
        "lon": str(city.longitude),
        "dt": str(int(moment.timestamp())),
        "units": "metric",
    }


def read(response: Response) -> Iterator[Record]:
    """Yield one record for each reading in the response for one city."""
    content = json.loads(response.body)
    city = response.cities[0].name
    readings = content.get("data") if isinstance(content, dict) else None
    if not isinstance(readings, list):
        yield Rejected({"city": city, "response": content}, "data: expected a list of readings")
        return
    for reading in readings:
        yield _record(city, reading, response.replayed_from)


def _record(city: str, reading: Any, replayed_from: dt.date | None) -> Record:
    if not isinstance(reading, dict):
        return Rejected({"city": city, "response": reading}, "data: expected an object for each reading")
    row = {"city": city, **reading}
    try:
        conditions = from_openweather_id(reading["weather"][0]["id"])
        date = dt.datetime.fromtimestamp(reading["dt"], dt.UTC).date()
        temperature = reading["temp"]
    except (KeyError, IndexError, TypeError):
        return Rejected(row, "data: dt, temp or weather[0].id is missing or of the wrong type")
    except (ValueError, OverflowError, OSError) as error:
        return Rejected(row, f"data: {error}")
    return observe(
        row,
        date=date,
        city=city,
        temperature_c=temperature,
        conditions=conditions,
        source="openweathermap",
        replayed_from=replayed_from,
    )
