"""The weather API's connection, and the pool of its calls."""

from __future__ import annotations

from include.core.settings import Connection, Pool

WEATHER = Connection(
    "weather_default",
    "open_meteo",
    "upstreams",
    "Weather API: type open_meteo (no key) or openweathermap (key as password).",
)
WEATHER_API = Pool(
    "weather_api", 4, "Calls to the weather API at once; the calls per minute are bounded by the rate limiter."
)
