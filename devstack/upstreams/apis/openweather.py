"""OpenWeather's ``/data/2.5/weather`` and ``/data/3.0/onecall/timemachine``, served from its own recordings.

Keys, their order and error messages follow ``include/data/api_samples/openweathermap``. An API key is any 32
hexadecimal digits, the format of the real ones, and may make 60 calls a minute.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from starlette.routing import Route

from devstack.upstreams import replay
from devstack.upstreams.answers import RefusedError, json_response, openweather_error
from devstack.upstreams.physics import dew_point, feels_like, sunrise_and_sunset
from devstack.upstreams.ratelimit import SlidingWindow
from devstack.upstreams.stations import STATIONS, Day, Station, nearest, recorded, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

CALLS_PER_MINUTE = 60
INVALID_KEY = "Invalid API key. Please see http://openweathermap.org/faq#error401 for more info."
LIMIT_EXCEEDED = (
    "Your account is temporary blocked due to exceeding of requests limitation of your subscription type. "
    "Please choose the proper subscription https://openweathermap.org/price"
)

_TEMPERATURE: dict[str, Callable[[float], float]] = {
    "standard": lambda celsius: celsius + 273.15,
    "metric": lambda celsius: celsius,
    "imperial": lambda celsius: celsius * 9 / 5 + 32,
}
MILES_PER_HOUR = 3600 / 1609.344


class OpenWeather:
    """The endpoints and the rate limit of each key."""

    def __init__(self) -> None:
        self._window = SlidingWindow(CALLS_PER_MINUTE, seconds=60.0)

    async def weather(self, request: Request) -> Response:
        """Current weather of a city by ``lat`` and ``lon``, ``q`` or ``id``: today's mean."""
        return self._guarded(request.query_params, _weather)

    async def timemachine(self, request: Request) -> Response:
        """Weather at ``lat``, ``lon`` on the UTC day of ``dt`` (Unix seconds)."""
        return self._guarded(request.query_params, _timemachine)

    def _guarded(self, query: QueryParams, handler: Callable[[QueryParams], Response]) -> Response:
        try:
            self._check_key(query.get("appid", ""))
            return handler(query)
        except RefusedError as error:
            return json_response(openweather_error(str(error), error.status), error.status)

    def _check_key(self, key: str) -> None:
        if not re.fullmatch(r"[0-9a-fA-F]{32}", key):
            raise RefusedError(401, INVALID_KEY)
        if not self._window.admit(key):
            raise RefusedError(429, LIMIT_EXCEEDED)


def _weather(query: QueryParams) -> Response:
    station = _city(query)
    today = replay.today()
    moment = datetime(today.year, today.month, today.day, tzinfo=UTC)
    recorded, record = _record(station, today)
    sunrise, sunset = sunrise_and_sunset(today, station.latitude, station.longitude)
    temperature, wind_speed = _units(query)
    content = {
        "coord": {"lon": _number(station.longitude, 4), "lat": _number(station.latitude, 4)},
        "weather": record.condition.weather(),
        "base": "stations",
        "main": {
            "temp": temperature(_require(record.temperature_mean)),
            "feels_like": temperature(_feels_like(record)),
            "temp_min": temperature(record.temperature_min),
            "temp_max": temperature(record.temperature_max),
            "pressure": round(_require(record.pressure)),
            "humidity": round(_require(record.humidity)),
        },
        "visibility": record.condition.visibility,
        "wind": {"speed": wind_speed(record.wind_speed)},
        "clouds": {"all": record.condition.clouds},
        "dt": int(moment.timestamp()),
        "sys": {"country": station.country, "sunrise": sunrise, "sunset": sunset},
        "timezone": _offset(station, moment),
        "id": station.city_id,
        "name": station.name,
        "cod": 200,
    }
    return json_response(content, headers=replay.replay_header([(today, recorded)]))


def _timemachine(query: QueryParams) -> Response:
    station = _near(query)
    text = query.get("dt", "")
    if not re.fullmatch(r"\d{1,11}", text, re.ASCII):
        raise RefusedError(400, "wrong dt")
    moment = datetime.fromtimestamp(int(text), UTC)
    recorded, record = _record(station, moment.date())
    sunrise, sunset = sunrise_and_sunset(moment.date(), station.latitude, station.longitude)
    temperature, wind_speed = _units(query)
    mean, humidity = _require(record.temperature_mean), _require(record.humidity)
    content = {
        "lat": _number(station.latitude, 4),
        "lon": _number(station.longitude, 4),
        "timezone": station.timezone,
        "timezone_offset": _offset(station, moment),
        "data": [
            {
                "dt": int(text),
                "sunrise": sunrise,
                "sunset": sunset,
                "temp": temperature(mean),
                "feels_like": temperature(_feels_like(record)),
                "pressure": round(_require(record.pressure)),
                "humidity": round(humidity),
                "dew_point": temperature(dew_point(mean, humidity)),
                "clouds": record.condition.clouds,
                "visibility": record.condition.visibility,
                "wind_speed": wind_speed(record.wind_speed),
                "weather": record.condition.weather(),
            }
        ],
    }
    return json_response(content, headers=replay.replay_header([(moment.date(), recorded)]))


def _city(query: QueryParams) -> Station:
    if "lat" in query or "lon" in query:
        return _near(query)
    if q := query.get("q"):
        name, *rest = (part.strip().lower() for part in q.split(","))
        country = {"uk": "gb"}.get(rest[-1], rest[-1]) if rest else None
        cities = [city for city in STATIONS if city.name.lower() == name and country in {None, city.country.lower()}]
    elif identifier := query.get("id"):
        if not identifier.isdecimal():
            raise RefusedError(400, f"{identifier} is not a city ID")
        cities = [city for city in STATIONS if str(city.city_id) == identifier]
    else:
        raise RefusedError(400, "Nothing to geocode")
    return _require_recorded(cities[0] if cities else None)


def _near(query: QueryParams) -> Station:
    point = []
    for name, word, limit in (("lat", "latitude", 90), ("lon", "longitude", 180)):
        text = query.get(name, "")
        if not re.fullmatch(r"[-+]?\d+(\.\d+)?", text, re.ASCII) or abs(float(text)) > limit:
            raise RefusedError(400, f"wrong {word}")
        point.append(float(text))
    return _require_recorded(nearest(*point))


def _require_recorded(station: Station | None) -> Station:
    if station is None or not _days(station):
        raise RefusedError(404, "city not found")
    return station


def _days(station: Station) -> dict[date, Day]:
    """Return OpenWeather's recorded days; NOAA's have no daily mean."""
    return {day: record for day, record in recorded()[station.name].items() if record.temperature_mean is not None}


def _record(station: Station, day: date) -> tuple[date, Day]:
    """Return the recorded day that is replayed for ``day``, and its record."""
    days, earliest = _days(station), span()[0]
    recorded = replay.same_date(day, frozenset(days)) if day >= earliest else None
    if recorded is None:
        raise RefusedError(400, f"requested time is out of allowed range from {earliest} to {replay.today()}")
    return recorded, days[recorded]


def _units(query: QueryParams) -> tuple[Callable[[float], float], Callable[[float], float]]:
    """Return conversions of °C and m/s to the requested units; an unknown name means ``standard``, as in the API."""
    units = query.get("units", "standard")
    temperature = _TEMPERATURE.get(units, _TEMPERATURE["standard"])
    factor = MILES_PER_HOUR if units == "imperial" else 1.0
    return lambda celsius: _number(temperature(celsius)), lambda metres: _number(metres * factor)


def _number(value: float, decimals: int = 2) -> float:
    """Round as the API does; whole numbers become integers."""
    rounded = round(value, decimals)
    return int(rounded) if rounded == int(rounded) else rounded


def _require(value: float | None) -> float:
    if value is None:
        raise ValueError("an OpenWeather row of include/data/weather lacks a value; restore the file")
    return value


def _feels_like(record: Day) -> float:
    return feels_like(_require(record.temperature_mean), _require(record.humidity), record.wind_speed)


def _offset(station: Station, moment: datetime) -> int:
    offset = moment.astimezone(ZoneInfo(station.timezone)).utcoffset() or timedelta()
    return int(offset.total_seconds())


def routes(_s3: str | None) -> list[Route]:
    """Return the routes of OpenWeather, with a new rate limit."""
    api = OpenWeather()
    return [Route("/data/2.5/weather", api.weather), Route("/data/3.0/onecall/timemachine", api.timemachine)]
