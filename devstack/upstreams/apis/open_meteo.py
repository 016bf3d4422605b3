"""Open-Meteo's ``/v1/forecast`` and ``/v1/archive``, served from the recorded days.

Keys, their order, units and error messages follow the recordings in ``include/data/api_samples/openmeteo``. All places
of a response replay the same recorded day: one that has every requested place and variable, if there is any. Days after
today are null, and so are values that the recorded day lacks.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from starlette.routing import Route

from devstack.upstreams import replay
from devstack.upstreams.answers import json_response, open_meteo_error
from devstack.upstreams.records import Dataset
from devstack.upstreams.stations import Station, nearest, recorded, span
from devstack.upstreams.variables import FIXED_UNITS, KNOWN, RECORDED, UNDEFINED, UNITS, Unit, Variable

if TYPE_CHECKING:
    from starlette.datastructures import QueryParams
    from starlette.requests import Request
    from starlette.responses import Response

_WEATHER_PATHS = ("/v1/forecast", "/v1/archive")
RECORDINGS = (
    Dataset(
        "openweather_daily",
        (*_WEATHER_PATHS, "/data/2.5/weather", "/data/3.0/onecall/timemachine"),
        "2021-07-04",
        "2024-12-31",
        "CC BY-SA 4.0",
        "Weather data provided by OpenWeather (https://openweathermap.org)",
        "London, New York, Tokyo; about six readings aggregated to one row per UTC day. A day is always a UTC day, "
        "regardless of the requested timezone. The current weather is today's mean.",
    ),
    Dataset(
        "noaa_daily",
        _WEATHER_PATHS,
        "2012-01-01",
        "2015-12-31",
        "public domain (US government work)",
        "NOAA National Climatic Data Center, daily summaries",
        "Seattle, New York; local days; no daily mean temperature, humidity or pressure.",
    ),
)

T = TypeVar("T")

MAX_FORECAST_DAYS = 16
MAX_PAST_DAYS = 93


class BadRequestError(ValueError):
    """A request that Open-Meteo refuses with 400; the message is its ``reason``."""


class Options(NamedTuple):
    """Options for every location of a request: variables by block, units, days, and the recorded day of each."""

    variables: dict[str, list[str]]
    units: dict[str, Unit]
    unix_time: bool
    days: list[date]
    recorded: Mapping[date, date | None]


async def archive(request: Request) -> Response:
    """``/v1/archive``: ``start_date`` and ``end_date`` are required, from the first recorded day to today."""
    return _respond(request, forecast_window=False)


async def forecast(request: Request) -> Response:
    """``/v1/forecast``: ``forecast_days`` from today, ``past_days`` before it; or ``start_date`` and ``end_date``."""
    return _respond(request, forecast_window=True)


def _respond(request: Request, *, forecast_window: bool) -> Response:
    query = request.query_params
    try:
        stations = [_station(*point) for point in _coordinates(query)]
        zones = _zones(query.get("timezone", "GMT"), stations)
        first, last = _forecast_days(query) if forecast_window else _period(query, span()[0], replay.today())
        blocks = ("current", "hourly", "daily") if forecast_window else ("hourly", "daily")
        variables = {block: _variables(query, block) for block in blocks if query.get(block)}
        days = [first + timedelta(number) for number in range((last - first).days + 1)]
        requested = [*days, replay.today()] if "current" in variables else days
        recorded_days = _recorded_days(frozenset(stations), frozenset(_recorded_variables(variables)))
        options = Options(
            variables,
            FIXED_UNITS | {parameter: _choice(query, parameter, units) for parameter, units in UNITS.items()},
            _choice(query, "timeformat", {"iso8601": False, "unixtime": True}),
            days,
            {day: replay.same_date(day, recorded_days) for day in requested},
        )
        _choice(query, "format", {"json": None})
    except BadRequestError as error:
        return json_response(open_meteo_error(str(error)), 400)
    places = [_location(*pair, number, options) for number, pair in enumerate(zip(stations, zones, strict=True))]
    replayed = ((day, recorded) for day, recorded in options.recorded.items() if recorded)
    return json_response(places[0] if len(places) == 1 else places, headers=replay.replay_header(replayed))


def _location(station: Station, zone: ZoneInfo, number: int, options: Options) -> dict[str, object]:
    started = time.perf_counter()
    today, days = replay.today(), options.days
    offset = datetime(today.year, today.month, today.day, 12, tzinfo=zone).utcoffset() or timedelta()
    seconds = int(offset.total_seconds())
    blocks: dict[str, object] = {}
    for block, names in options.variables.items():
        units = {name: _unit(block, name, options.units) for name in names}
        labels = {"time": "unixtime" if options.unix_time else "iso8601"}
        if block == "current":
            labels["interval"] = "seconds"
            values: dict[str, object] = {"time": _instant(today, 0, seconds, options.unix_time), "interval": 86400}
            values |= {name: _value(station, options.recorded[today], block, name, units[name]) for name in names}
        elif block == "daily":
            values = {"time": [_day(day, seconds, options.unix_time) for day in days]}
            values |= {
                name: [_value(station, options.recorded[day], block, name, units[name]) for day in days]
                for name in names
            }
        else:
            hours = [_instant(day, hour, seconds, options.unix_time) for day in days for hour in range(24)]
            values = {"time": hours} | {name: [None] * len(hours) for name in names}
        blocks[f"{block}_units"] = labels | {name: unit.label for name, unit in units.items()}
        blocks[block] = values
    return (
        {
            "latitude": station.latitude,
            "longitude": station.longitude,
            "generationtime_ms": (time.perf_counter() - started) * 1000,
            "utc_offset_seconds": seconds,
            "timezone": zone.key,
            "timezone_abbreviation": _abbreviation(seconds),
        }
        | ({} if station.elevation is None else {"elevation": station.elevation})
        | ({"location_id": number} if number else {})
        | blocks
    )


def _value(station: Station, day: date | None, block: str, name: str, unit: Unit) -> float | int | None:
    variable, record = RECORDED[block].get(name), recorded()[station.name].get(day) if day else None
    value = variable.value(record) if variable and record else None
    return None if value is None else unit.convert(value)


def _recorded_variables(variables: Mapping[str, list[str]]) -> Iterator[Variable]:
    for block, names in variables.items():
        yield from (RECORDED[block][name] for name in names if name in RECORDED[block])


@lru_cache(maxsize=32)
def _recorded_days(stations: frozenset[Station], variables: frozenset[Variable]) -> frozenset[date]:
    """Return the days on which every station recorded every variable; if there is none, those of any station."""
    by_station = [recorded()[station.name] for station in stations]
    complete = [
        {day for day, record in days.items() if all(variable.value(record) is not None for variable in variables)}
        for days in by_station
    ]
    return frozenset(set.intersection(*complete) or set().union(*by_station))


def _unit(block: str, name: str, units: dict[str, Unit]) -> Unit:
    variable = RECORDED[block].get(name)
    return units[variable.unit] if variable else UNDEFINED


def _day(day: date, offset: int, unix_time: bool) -> str | int:
    return _instant(day, 0, offset, unix_time) if unix_time else day.isoformat()


def _instant(day: date, hour: int, offset: int, unix_time: bool) -> str | int:
    local = datetime(day.year, day.month, day.day, hour, tzinfo=UTC)
    return int(local.timestamp()) - offset if unix_time else local.strftime("%Y-%m-%dT%H:%M")


def _abbreviation(offset: int) -> str:
    hours, minutes = divmod(abs(offset) // 60, 60)
    sign = "-" if offset < 0 else "+"
    return "GMT" + (f"{sign}{hours}" if offset else "") + (f":{minutes:02}" if minutes else "")


def _coordinates(query: QueryParams) -> list[tuple[float, float]]:
    latitudes, longitudes = _numbers(query, "latitude"), _numbers(query, "longitude")
    if not latitudes or not longitudes:
        raise BadRequestError("Parameter 'latitude' and 'longitude' must not be empty")
    if len(latitudes) != len(longitudes):
        raise BadRequestError("Parameter 'latitude' and 'longitude' must have the same number of elements")
    return list(zip(latitudes, longitudes, strict=True))


def _numbers(query: QueryParams, name: str) -> list[float]:
    text = query.get(name, "")
    if not text:
        return []
    if not re.fullmatch(r"[-+]?\d+(\.\d+)?(,[-+]?\d+(\.\d+)?)*", text):
        raise BadRequestError(f"Value of type 'Float' required for key '{name}'.")
    return [float(part) for part in text.split(",")]


def _station(latitude: float, longitude: float) -> Station:
    if not -90 <= latitude <= 90:
        raise BadRequestError(f"Latitude must be in range of -90 to 90°. Given: {latitude}.")
    if not -180 <= longitude <= 180:
        raise BadRequestError(f"Longitude must be in range of -180 to 180°. Given: {longitude}.")
    station = nearest(latitude, longitude)
    if station is None:
        raise BadRequestError("No data is available for this location")
    return station


def _zones(text: str, stations: list[Station]) -> list[ZoneInfo]:
    names = text.split(",")
    if len(names) == 1:
        names *= len(stations)
    try:
        return [
            ZoneInfo(station.timezone if name == "auto" else name)
            for name, station in zip(names, stations, strict=True)
        ]
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise BadRequestError("Invalid timezone") from error


def _variables(query: QueryParams, block: str) -> list[str]:
    names = [name for text in query.getlist(block) for name in text.split(",")]
    for name in names:
        if name not in KNOWN[block]:
            kind = f"ForecastVariable{block.title()}"
            raise BadRequestError(
                f"Data corrupted at path ''. Cannot initialize {kind} from invalid String value {name}."
            )
    return names


def _choice(query: QueryParams, parameter: str, allowed: dict[str, T]) -> T:
    value = query.get(parameter, next(iter(allowed)))
    if value not in allowed:
        kind = "".join(word.title() for word in parameter.split("_"))
        raise BadRequestError(f"Data corrupted at path ''. Cannot initialize {kind} from invalid String value {value}.")
    return allowed[value]


def _forecast_days(query: QueryParams) -> tuple[date, date]:
    today = replay.today()
    window = today - timedelta(MAX_PAST_DAYS), today + timedelta(MAX_FORECAST_DAYS - 1)
    if "start_date" in query or "end_date" in query:
        for parameter in ("past_days", "forecast_days"):
            if parameter in query:
                raise BadRequestError(f"Parameter '{parameter}' is mutually exclusive with 'start_date' and 'end_date'")
        return _period(query, *window)
    past, ahead = query.get("past_days", "0"), query.get("forecast_days", "7")
    if not past.isdecimal() or int(past) > MAX_PAST_DAYS:
        raise BadRequestError(f"Past days is invalid. Allowed range 0 to {MAX_PAST_DAYS}. Given {past}.")
    if not ahead.isdecimal() or int(ahead) > MAX_FORECAST_DAYS:
        raise BadRequestError(
            f"Forecast days is invalid. Allowed range 0 to {MAX_FORECAST_DAYS}. Given {MAX_FORECAST_DAYS}."
        )
    return today - timedelta(int(past)), today + timedelta(int(ahead) - 1)


def _period(query: QueryParams, earliest: date, latest: date) -> tuple[date, date]:
    if not query.get("start_date") or not query.get("end_date"):
        raise BadRequestError("Both 'start_date' and 'end_date' must be set in the url")
    first, last = (_date(query[parameter]) for parameter in ("start_date", "end_date"))
    if last < first:
        raise BadRequestError("End-date must be larger or equals than start-date")
    for parameter, day in (("start_date", first), ("end_date", last)):
        if not earliest <= day <= latest:
            raise BadRequestError(f"Parameter '{parameter}' is out of allowed range from {earliest} to {latest}")
    return first, last


def _date(text: str) -> date:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
        raise BadRequestError("Invalid date format. Make sure to use 'YYYY-MM-DD'")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadRequestError("Invalid date") from error


def routes(_s3: str | None) -> list[Route]:
    """Return the routes of Open-Meteo."""
    return [Route("/v1/forecast", forecast), Route("/v1/archive", archive)]
