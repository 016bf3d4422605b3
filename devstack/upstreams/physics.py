"""Quantities computed from recorded ones."""

from __future__ import annotations

from math import acos, asin, cos, degrees, exp, log, radians, sin
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date

UNIX_EPOCH_JULIAN_DAY = 2440587.5
J2000 = 2451545.0


def feels_like(temperature: float, humidity: float, wind_speed: float) -> float:
    """Return the apparent temperature in °C from °C, % and m/s (R. G. Steadman 1994, used by Australia's BOM)."""
    vapour_pressure = humidity / 100 * 6.105 * exp(17.27 * temperature / (237.7 + temperature))
    return temperature + 0.33 * vapour_pressure - 0.70 * wind_speed - 4.00


def dew_point(temperature: float, humidity: float) -> float:
    """Return the dew point in °C from °C and % (Magnus formula with the coefficients of D. Sonntag 1990)."""
    gamma = log(humidity / 100) + 17.62 * temperature / (243.12 + temperature)
    return 243.12 * gamma / (17.62 - gamma)


def sunrise_and_sunset(day: date, latitude: float, longitude: float) -> tuple[int, int]:
    """Return the Unix seconds of sunrise and sunset on a solar day at a point in degrees, accurate to about a minute.

    Uses the sunrise equation with the sun's upper limb 0.833° below the horizon (J. Meeus, Astronomical Algorithms).

    Raises:
        ValueError: if the sun doesn't rise or set on that day.
    """
    solar_noon = day.toordinal() + 1721425 - J2000 - longitude / 360
    anomaly = radians((357.5291 + 0.98560028 * solar_noon) % 360)
    centre = 1.9148 * sin(anomaly) + 0.02 * sin(2 * anomaly) + 0.0003 * sin(3 * anomaly)
    ecliptic_longitude = anomaly + radians(centre + 180 + 102.9372)
    transit = J2000 + solar_noon + 0.0053 * sin(anomaly) - 0.0069 * sin(2 * ecliptic_longitude)
    declination = asin(sin(ecliptic_longitude) * sin(radians(23.4397)))
    phi = radians(latitude)
    hour_angle = acos((sin(radians(-0.833)) - sin(phi) * sin(declination)) / (cos(phi) * cos(declination)))
    rise, fall = (transit + turn * degrees(hour_angle) / 360 for turn in (-1, 1))
    return round((rise - UNIX_EPOCH_JULIAN_DAY) * 86400), round((fall - UNIX_EPOCH_JULIAN_DAY) * 86400)
