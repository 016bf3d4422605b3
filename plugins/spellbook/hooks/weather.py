"""The hooks of the weather APIs, Open-Meteo and OpenWeather."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from include.core.dag import warehouse_uri
from include.core.errors import ConfigurationError
from include.core.extras import Extras
from include.core.http.client import HttpApi, Limits, checked_url, connection_url
from include.core.http.egress import Egress
from include.core.http.rate_limit import RateLimiter
from include.domains.weather.client import HINTS, WeatherClient
from include.domains.weather.open_meteo import OpenMeteo
from include.domains.weather.openweathermap import OpenWeatherMap
from spellbook.hooks.base import ClientHook

if TYPE_CHECKING:
    from airflow.sdk import Connection


class WeatherHook(ClientHook):
    """Turns a connection into the client of a weather API, chosen by the connection's type.

    Args:
        weather_conn_id: connection with host (default: the public API), port, schema (``https``) and key (password);
            extra: ``deadline`` (seconds for a call including its retries), and Open-Meteo's ``archive_host`` (URL).
        warehouse_conn_id: database in which the rate limiter counts the calls of all workers.
    """

    conn_name_attr: ClassVar[str] = "weather_conn_id"
    default_conn_name: ClassVar[str] = "weather_default"

    def __init__(self, weather_conn_id: str = default_conn_name, warehouse_conn_id: str = "postgres_default") -> None:
        super().__init__()
        self.weather_conn_id = weather_conn_id
        self.warehouse_conn_id = warehouse_conn_id

    def get_conn(self) -> WeatherClient:
        """Return the client.

        Raises:
            ConfigurationError: naming the invalid field of the connection, and its value.
        """
        connection = self.get_connection(self.weather_conn_id)
        match connection.conn_type:
            case OpenMeteo.source:
                return self._open_meteo(connection)
            case OpenWeatherMap.source:
                return self._openweathermap(connection)
        raise ConfigurationError(
            f"connection {self.weather_conn_id!r}: conn_type: {connection.conn_type!r} is not a weather API; allowed:"
            f" {OpenMeteo.source}, {OpenWeatherMap.source}"
        )

    def _open_meteo(self, connection: Connection) -> OpenMeteo:
        base = connection_url(connection, OpenMeteo.default_url, default=OpenMeteo.default_url)
        archive = OpenMeteo.default_archive_url if base == OpenMeteo.default_url else base
        if configured := Extras.of(connection).text("archive_host"):
            archive = checked_url(connection, "extra.archive_host", configured, example=OpenMeteo.default_url)
        return OpenMeteo(self._api(OpenMeteo, connection, base, archive), base, archive)

    def _openweathermap(self, connection: Connection) -> OpenWeatherMap:
        if not connection.password:
            raise ConfigurationError(f"connection {self.weather_conn_id!r}: password: empty; set it to the API key")
        base = connection_url(connection, OpenWeatherMap.default_url, default=OpenWeatherMap.default_url)
        return OpenWeatherMap(self._api(OpenWeatherMap, connection, base), base)

    def _api(self, client: type[WeatherClient], connection: Connection, *urls: str) -> HttpApi:
        limiter = RateLimiter(warehouse_uri(self.warehouse_conn_id), client.source, calls=client.calls_per_minute)
        deadline = Extras.of(connection).positive_number("deadline", Limits.deadline, "seconds")
        secrets = {client.key_parameter: connection.password} if connection.password else {}
        return HttpApi(client.name, Egress.to(*urls), limiter, Limits(deadline=deadline), secrets=secrets, hints=HINTS)


class OpenMeteoHook(WeatherHook):
    """The hook of the connection type ``open_meteo``."""

    conn_type: ClassVar[str] = OpenMeteo.source
    hook_name: ClassVar[str] = OpenMeteo.name


class OpenWeatherMapHook(WeatherHook):
    """The hook of the connection type ``openweathermap``."""

    conn_type: ClassVar[str] = OpenWeatherMap.source
    hook_name: ClassVar[str] = OpenWeatherMap.name
