"""The recorded cities and days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import cache
from math import asin, cos, radians, sin, sqrt

from devstack.upstreams.conditions import CONDITIONS, Condition
from devstack.upstreams.records import read_csv

MAX_DISTANCE_KM = 50.0
EARTH_RADIUS_KM = 6371.0


@dataclass(frozen=True)
class Station:
    """A recorded city; coordinates in degrees, elevation in m (None: not recorded), ``city_id`` is OpenWeather's."""

    name: str
    country: str
    latitude: float
    longitude: float
    elevation: float | None
    timezone: str
    city_id: int


@dataclass(frozen=True)
class Day:
    """One recorded day: °C, %, hPa, m/s, mm; None where the recording lacks the column."""

    temperature_mean: float | None
    temperature_min: float
    temperature_max: float
    humidity: float | None
    pressure: float | None
    wind_speed: float
    precipitation: float | None
    condition: Condition


STATIONS = (
    Station("London", "GB", 51.5085, -0.1257, 23.0, "Europe/London", 2643743),
    Station("New York", "US", 40.7143, -74.006, None, "America/New_York", 5128581),
    Station("Tokyo", "JP", 35.6895, 139.6917, None, "Asia/Tokyo", 1850147),
    Station("Seattle", "US", 47.6062, -122.3321, None, "America/Los_Angeles", 5809844),
)


@cache
def recorded() -> dict[str, dict[date, Day]]:
    """Return every recorded day by city name, in order of date; New York is in both recordings."""
    cities: dict[str, dict[date, Day]] = {station.name: {} for station in STATIONS}
    for row in read_csv("weather/noaa_daily_seattle_newyork.csv"):
        cities[row["location"]][date.fromisoformat(row["date"])] = Day(
            None,
            float(row["temp_min"]),
            float(row["temp_max"]),
            None,
            None,
            float(row["wind"]),
            float(row["precipitation"]),
            CONDITIONS[row["weather"]],
        )
    for row in read_csv("weather/owm_daily_newyork_london_tokyo.csv"):
        cities[row["city"]][date.fromisoformat(row["date"])] = Day(
            float(row["temp_mean_c"]),
            float(row["temp_min_c"]),
            float(row["temp_max_c"]),
            float(row["humidity_mean_pct"]),
            float(row["pressure_mean_hpa"]),
            float(row["wind_speed_mean_ms"]),
            None,
            CONDITIONS[row["condition"].lower()],
        )
    return cities


@cache
def span() -> tuple[date, date]:
    """Return the first and the last recorded day of all cities."""
    days = [day for city in recorded().values() for day in city]
    return min(days), max(days)


def nearest(latitude: float, longitude: float) -> Station | None:
    """Return the closest city within :data:`MAX_DISTANCE_KM` of a point in degrees, or None."""
    distance, station = min(
        ((_distance(latitude, longitude, station), station) for station in STATIONS), key=lambda pair: pair[0]
    )
    return station if distance <= MAX_DISTANCE_KM else None


def _distance(latitude: float, longitude: float, station: Station) -> float:
    """Return the great-circle distance in km (haversine formula)."""
    phi, phi_station = radians(latitude), radians(station.latitude)
    half_chord = (
        sin((phi_station - phi) / 2) ** 2
        + cos(phi) * cos(phi_station) * sin(radians(station.longitude - longitude) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * asin(sqrt(min(1.0, half_chord)))
