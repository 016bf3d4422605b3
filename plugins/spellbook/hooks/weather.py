"""The hook that a weather connection asks for by its type."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from include.core.errors import ConfigurationError
from include.core.http.rate_limit import RateLimiter
from spellbook.hooks.open_meteo import OpenMeteoHook
from spellbook.hooks.openweathermap import OpenWeatherMapHook

if TYPE_CHECKING:
    from spellbook.hooks.base import WeatherHook

HOOKS: dict[str, type[WeatherHook]] = {hook.conn_type: hook for hook in (OpenMeteoHook, OpenWeatherMapHook)}


def weather_hook(weather_conn_id: str, warehouse_uri: str) -> WeatherHook:
    """Return the hook for the connection's type, with the rate limit that all workers share.

    Args:
        weather_conn_id: connection to the weather API.
        warehouse_uri: database in which the calls are counted.

    Raises:
        ConfigurationError: if the connection is of no type that a weather hook serves.
    """
    conn_type = BaseHook.get_connection(weather_conn_id).conn_type
    if conn_type not in HOOKS:
        raise ConfigurationError(
            f"connection {weather_conn_id!r}: conn_type: {conn_type!r} is no weather API; allowed: {', '.join(HOOKS)}"
        )
    hook = HOOKS[conn_type]
    return hook(weather_conn_id, limiter=RateLimiter(warehouse_uri, conn_type, calls=hook.calls_per_minute))
