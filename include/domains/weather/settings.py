"""The weather API's connection and pool."""

from __future__ import annotations

from include.core.settings import Connection, Pool

WEATHER = Connection(
    "weather_default",
    "open_meteo",
    "upstreams",
    "Weather API: type open_meteo (no key) or openweathermap (key as password).",
)
WEATHER_API = Pool(
    "weather_api", 4, "Concurrent calls to the weather API; the rate limiter bounds the calls per minute."
)
