"""OpenWeather's wire format: One Call "timemachine", one request for each city.

Format: https://openweathermap.org/api/one-call-3 ("Weather data for timestamp"). Data by OpenWeather.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from include.core.warehouse.dataset import Rejected
from include.domains.weather.conditions import from_openweather_id
from include.domains.weather.observations import Answer, Record, observe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.domains.weather.cities import City

READING_HOUR = 12
"""UTC. A mean would take 24 of the plan's 60 calls a minute for each city: the reading at noon stands for the day."""


def parameters(city: City, date: dt.date) -> dict[str, str]:
    """Return the query, without the key, of the reading of ``city`` at noon UTC of ``date``, in °C."""
    moment = dt.datetime.combine(date, dt.time(READING_HOUR), dt.UTC)
    return {
        "lat": str(city.latitude),
        "lon": str(city.longitude),
        "dt": str(int(moment.timestamp())),
        "units": "metric",
    }


def read(answer: Answer) -> Iterator[Record]:
    """Yield one record for each reading in the answer about one city."""
    content = json.loads(answer.body)
    city = answer.cities[0].name
    readings = content.get("data") if isinstance(content, dict) else None
    if not isinstance(readings, list):
        yield Rejected({"city": city, "answer": content}, "data: expected a list of readings")
        return
    for reading in readings:
        yield _record(city, reading, answer.replayed_from)


def _record(city: str, reading: Any, replayed_from: dt.date | None) -> Record:
    if not isinstance(reading, dict):
        return Rejected({"city": city, "answer": reading}, "data: expected an object for a reading")
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
