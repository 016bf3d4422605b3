"""A common vocabulary for weather conditions, mapped from the codes of both APIs."""

from __future__ import annotations

from enum import StrEnum


class Conditions(StrEnum):
    """The allowed values of ``weather_data.conditions``."""

    CLEAR = "Clear"
    PARTLY_CLOUDY = "Partly cloudy"
    OVERCAST = "Overcast"
    FOG = "Fog"
    MIST = "Mist"
    HAZE = "Haze"
    SMOKE = "Smoke"
    DUST = "Dust"
    SAND = "Sand"
    ASH = "Volcanic ash"
    SQUALL = "Squall"
    TORNADO = "Tornado"
    DRIZZLE = "Drizzle"
    FREEZING_DRIZZLE = "Freezing drizzle"
    RAIN = "Rain"
    RAIN_SHOWERS = "Rain showers"
    FREEZING_RAIN = "Freezing rain"
    SLEET = "Sleet"
    SNOW = "Snow"
    SNOW_SHOWERS = "Snow showers"
    THUNDERSTORM = "Thunderstorm"
    HAIL = "Thunderstorm with hail"


WMO_CODES = {
    0: Conditions.CLEAR, 1: Conditions.CLEAR, 2: Conditions.PARTLY_CLOUDY, 3: Conditions.OVERCAST,
    45: Conditions.FOG, 48: Conditions.FOG,
    51: Conditions.DRIZZLE, 53: Conditions.DRIZZLE, 55: Conditions.DRIZZLE,
    56: Conditions.FREEZING_DRIZZLE, 57: Conditions.FREEZING_DRIZZLE,
    61: Conditions.RAIN, 63: Conditions.RAIN, 65: Conditions.RAIN,
    66: Conditions.FREEZING_RAIN, 67: Conditions.FREEZING_RAIN,
    71: Conditions.SNOW, 73: Conditions.SNOW, 75: Conditions.SNOW, 77: Conditions.SNOW,
    80: Conditions.RAIN_SHOWERS, 81: Conditions.RAIN_SHOWERS, 82: Conditions.RAIN_SHOWERS,
    85: Conditions.SNOW_SHOWERS, 86: Conditions.SNOW_SHOWERS,
    95: Conditions.THUNDERSTORM, 96: Conditions.HAIL, 99: Conditions.HAIL,
}  # fmt: skip
"""The part of WMO code table 4677 that Open-Meteo uses (its documentation, "WMO Weather interpretation codes")."""

OPENWEATHER_IDS = {
    **dict.fromkeys((200, 201, 202, 210, 211, 212, 221, 230, 231, 232), Conditions.THUNDERSTORM),
    **dict.fromkeys((300, 301, 302, 310, 311, 312, 313, 314, 321), Conditions.DRIZZLE),
    **dict.fromkeys((500, 501, 502, 503, 504), Conditions.RAIN),
    511: Conditions.FREEZING_RAIN,
    **dict.fromkeys((520, 521, 522, 531), Conditions.RAIN_SHOWERS),
    **dict.fromkeys((600, 601, 602), Conditions.SNOW),
    **dict.fromkeys((611, 612, 613, 615, 616), Conditions.SLEET),
    **dict.fromkeys((620, 621, 622), Conditions.SNOW_SHOWERS),
    701: Conditions.MIST, 711: Conditions.SMOKE, 721: Conditions.HAZE, 731: Conditions.DUST, 741: Conditions.FOG,
    751: Conditions.SAND, 761: Conditions.DUST, 762: Conditions.ASH, 771: Conditions.SQUALL, 781: Conditions.TORNADO,
    800: Conditions.CLEAR, 801: Conditions.PARTLY_CLOUDY, 802: Conditions.PARTLY_CLOUDY,
    803: Conditions.OVERCAST, 804: Conditions.OVERCAST,
}  # fmt: skip
"""OpenWeather's condition ids (its documentation, "Weather condition codes")."""


def from_wmo_code(code: object) -> Conditions:
    """Return the conditions of an Open-Meteo ``weather_code``.

    Raises:
        ValueError: if Open-Meteo doesn't use the code.
    """
    return _look_up(code, WMO_CODES, "weather_code")


def from_openweather_id(condition_id: object) -> Conditions:
    """Return the conditions of an OpenWeather ``weather[0].id``.

    Raises:
        ValueError: if the id isn't in OpenWeather's list.
    """
    return _look_up(condition_id, OPENWEATHER_IDS, "weather[0].id")


def _look_up(code: object, table: dict[int, Conditions], field: str) -> Conditions:
    if isinstance(code, int) and not isinstance(code, bool) and code in table:
        return table[code]
    raise ValueError(
        f"{field} {code!r} is unknown; known: {', '.join(map(str, table))} (include/domains/weather/conditions.py)"
    )
