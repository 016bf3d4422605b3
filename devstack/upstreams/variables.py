"""Open-Meteo's variables and units: those that were recorded, and those that are only accepted by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

    from devstack.upstreams.stations import Day


class Unit(NamedTuple):
    """A unit: its label in the response, and the conversion from the recorded unit."""

    label: str
    convert: Callable[[float], float | int]


UNITS = {
    "temperature_unit": {
        "celsius": Unit("°C", lambda celsius: round(celsius, 1)),
        "fahrenheit": Unit("°F", lambda celsius: round(celsius * 9 / 5 + 32, 1)),
    },
    "wind_speed_unit": {
        "kmh": Unit("km/h", lambda metres: round(metres * 3.6, 1)),
        "ms": Unit("m/s", lambda metres: round(metres, 2)),
        "mph": Unit("mp/h", lambda metres: round(metres * 3600 / 1609.344, 1)),
        "kn": Unit("kn", lambda metres: round(metres * 3600 / 1852, 1)),
    },
    "precipitation_unit": {
        "mm": Unit("mm", lambda millimetres: round(millimetres, 2)),
        "inch": Unit("inch", lambda millimetres: round(millimetres / 25.4, 3)),
    },
}
"""By query parameter and value; the first of each is the default."""

FIXED_UNITS = {
    "percent": Unit("%", round),
    "pressure": Unit("hPa", lambda hectopascal: round(hectopascal, 1)),
    "code": Unit("wmo code", int),
}

UNDEFINED = Unit("undefined", float)


class Variable(NamedTuple):
    """A recorded variable: its unit parameter (or fixed unit), and the function that reads it from a day."""

    unit: str
    value: Callable[[Day], float | None]


_TEMPERATURE = Variable("temperature_unit", lambda day: day.temperature_mean)
_HUMIDITY = Variable("percent", lambda day: day.humidity)
_PRESSURE = Variable("pressure", lambda day: day.pressure)
_WIND = Variable("wind_speed_unit", lambda day: day.wind_speed)
_WEATHER_CODE = Variable("code", lambda day: day.condition.wmo_code)

RECORDED: dict[str, dict[str, Variable]] = {
    "daily": {
        "weather_code": _WEATHER_CODE,
        "temperature_2m_mean": _TEMPERATURE,
        "temperature_2m_max": Variable("temperature_unit", lambda day: day.temperature_max),
        "temperature_2m_min": Variable("temperature_unit", lambda day: day.temperature_min),
        "relative_humidity_2m_mean": _HUMIDITY,
        "pressure_msl_mean": _PRESSURE,
        "wind_speed_10m_mean": _WIND,
        "precipitation_sum": Variable("precipitation_unit", lambda day: day.precipitation),
    },
    "hourly": {},
    "current": {
        "temperature_2m": _TEMPERATURE,
        "relative_humidity_2m": _HUMIDITY,
        "pressure_msl": _PRESSURE,
        "wind_speed_10m": _WIND,
        "weather_code": _WEATHER_CODE,
    },
}

_INSTANT = frozenset({
    "apparent_temperature", "cloud_cover", "dew_point_2m", "is_day", "precipitation", "precipitation_probability",
    "pressure_msl", "rain", "relative_humidity_2m", "showers", "snowfall", "surface_pressure", "temperature_2m",
    "temperature_20m", "uv_index", "visibility", "weather_code", "wind_direction_10m", "wind_gusts_10m",
    "wind_speed_10m",
})  # fmt: skip

KNOWN: dict[str, frozenset[str]] = {
    "daily": frozenset(RECORDED["daily"]) | {
        "apparent_temperature_max", "apparent_temperature_mean", "apparent_temperature_min", "cloud_cover_mean",
        "daylight_duration", "dew_point_2m_mean", "moonrise", "moonset", "precipitation_hours",
        "precipitation_probability_max", "rain_sum", "relative_humidity_2m_max", "relative_humidity_2m_min",
        "shortwave_radiation_sum", "showers_sum", "snowfall_sum", "sunrise", "sunset", "sunshine_duration",
        "uv_index_max", "wind_direction_10m_dominant", "wind_gusts_10m_max", "wind_speed_10m_max", "wind_speed_10m_min",
    },
    "hourly": _INSTANT,
    "current": _INSTANT,
}  # fmt: skip
"""Accepted names; one that is not recorded returns null with the unit ``undefined``, as in the real API."""
