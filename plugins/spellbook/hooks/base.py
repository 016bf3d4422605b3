"""What the hooks of all weather APIs share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from airflow.sdk import BaseHook

from include.core.errors import ConfigurationError
from include.core.http.client import HttpApi, Limits, connection_url
from include.core.http.egress import Egress
from include.domains.weather.observations import RawWeather, Source

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from airflow.sdk import Connection

    from include.core.http.rate_limit import RateLimiter
    from include.domains.weather.cities import City
    from include.domains.weather.observations import Answer

HINTS = {
    400: "correct the cities' coordinates (include/domains/weather/cities.yaml or the param `cities`) or the date",
    401: "put a valid API key into the connection's password; a new key may take two hours to work",
    403: "the plan of this API key doesn't include this endpoint: choose another plan or another connection",
}


class WeatherHook(BaseHook):
    """Calls one weather API.

    Args:
        weather_conn_id: connection with host (default: the public one), port, schema (``https``) and key (password).
        limiter: bounds the calls over all workers.
        limits: bounds of each call.
    """

    conn_name_attr: ClassVar[str] = "weather_conn_id"
    default_conn_name: ClassVar[str] = "weather_default"
    conn_type: ClassVar[Source]
    hook_name: ClassVar[str]
    default_url: ClassVar[str]
    key_parameter: ClassVar[str]
    calls_per_minute: ClassVar[int]

    def __init__(self, weather_conn_id: str = default_conn_name, *, limiter: RateLimiter, limits: Limits | None = None):
        super().__init__()
        self.weather_conn_id = weather_conn_id
        self.limiter = limiter
        self.limits = limits or Limits()

    def fetch(self, cities: Sequence[City], date: dt.date, asked_on: dt.date) -> RawWeather:
        """Return what the API answers about one UTC day.

        Args:
            cities: places to ask about.
            date: the UTC day, which must be over.
            asked_on: the UTC day on which the run began.

        Raises:
            ConfigurationError: the connection or the date can't be used.
            PermanentUpstreamError: the API refuses the request.
            TransientUpstreamError: no usable answer for now.
        """
        if date >= asked_on:
            raise ConfigurationError(f"date: {date} is not over on {asked_on} (UTC); ask for an earlier day")
        return RawWeather(source=self.conn_type, date=date, answers=self.answers(tuple(cities), date, asked_on))

    @abstractmethod
    def answers(self, cities: tuple[City, ...], date: dt.date, asked_on: dt.date) -> tuple[Answer, ...]:
        """Make the calls that :meth:`fetch` needs."""

    def get_conn(self) -> HttpApi:
        """Return the API that the connection describes."""
        key = self.connection.password
        return HttpApi(
            self.hook_name,
            Egress.to(*self.base_urls()),
            self.limiter,
            self.bounds(),
            secrets={self.key_parameter: key} if key else {},
            hints=HINTS,
        )

    def base_urls(self) -> tuple[str, ...]:
        """Return every URL that calls begin with."""
        return (self.base_url(),)

    def bounds(self) -> Limits:
        """Return the limits, with the deadline that the connection's extra asks for.

        Raises:
            ConfigurationError: if it isn't a positive number of seconds.
        """
        asked = self.connection.extra_dejson.get("deadline")
        if asked is None or asked == "":
            return self.limits
        try:
            deadline = float(asked)
        except (TypeError, ValueError):
            deadline = 0
        if deadline <= 0:
            raise ConfigurationError(
                f"connection {self.weather_conn_id!r}: deadline: {asked!r} isn't a positive number of seconds"
            )
        return replace(self.limits, deadline=deadline)

    @property
    def connection(self) -> Connection:
        """The connection; looked up when it is needed, never while a DAG is parsed."""
        return self.get_connection(self.weather_conn_id)

    def base_url(self) -> str:
        """Return scheme, host and port to call.

        Raises:
            ConfigurationError: if the connection's host isn't a host or an http(s) URL.
        """
        connection = self.connection
        if not connection.host:
            return self.default_url
        return connection_url(
            self.weather_conn_id, connection.host, connection.schema, connection.port, example=self.default_url
        )
