"""Base class of the weather API clients."""

from __future__ import annotations

import datetime as dt
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from include.core import exact_json
from include.core.errors import ConfigurationError, TransientUpstreamError
from include.core.http.responses import error_in
from include.domains.weather.cities import load_cities
from include.domains.weather.observations import RawWeather, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.http.client import HttpApi
    from include.core.http.responses import Response as HttpResponse
    from include.domains.weather.cities import City
    from include.domains.weather.observations import Response

HINTS = {
    400: "correct the cities' coordinates (include/domains/weather/cities.yaml or the param `cities`) or the date",
    401: "put a valid API key into the connection's password; a new key may take two hours to work",
    403: "the plan of this API key doesn't include this endpoint: choose another plan or another connection",
}


@dataclass(frozen=True)
class WeatherClient(ABC):
    """Client of a weather API.

    Attributes:
        api: makes the calls.
        base: scheme, host and port of the URLs.
    """

    source: ClassVar[Source]
    name: ClassVar[str]
    default_url: ClassVar[str]
    key_parameter: ClassVar[str]
    calls_per_minute: ClassVar[int]

    api: HttpApi
    base: str

    def fetch(self, cities: Sequence[City], date: dt.date, requested_on: dt.date) -> RawWeather:
        """Request the weather of one UTC day.

        Args:
            cities: places to request.
            date: the UTC day, which must be over.
            requested_on: the UTC day on which the run began.

        Raises:
            ConfigurationError: the date is invalid.
            PermanentUpstreamError: the API rejects the request.
            TransientUpstreamError: no usable response; a retry may succeed.
        """
        if date >= requested_on:
            raise ConfigurationError(f"date: {date} is not over on {requested_on} (UTC); choose an earlier day")
        requested_at = dt.datetime.now(dt.UTC)
        responses = self.request(tuple(cities), date, requested_on)
        return RawWeather(source=self.source, date=date, responses=responses, requested_at=requested_at)

    def check(self) -> str:
        """Request yesterday's weather of one city; return the base URL. Raises what :meth:`fetch` raises."""
        today = dt.datetime.now(dt.UTC).date()
        self.fetch(load_cities()[:1], today - dt.timedelta(days=1), today)
        return self.base

    def get(self, url: str, parameters: dict[str, str], field: str) -> HttpResponse:
        """Call the API; return the response, which has ``field`` in each object.

        Raises:
            PermanentUpstreamError: the API rejects the request.
            TransientUpstreamError: no usable response, or one with an error in place of the data.
        """
        response = self.api.get(url, parameters)
        if reason := self.api.mask(error_in(exact_json.loads(response.text), field)):
            raise TransientUpstreamError(f"{self.name} at {url} answered with an error: {reason}", response.status)
        return response

    @abstractmethod
    def request(self, cities: tuple[City, ...], date: dt.date, requested_on: dt.date) -> tuple[Response, ...]:
        """Call the API; return the raw responses."""
