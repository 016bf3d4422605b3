"""Open-Meteo: no key needed; one call for all cities."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from include.core.http.client import checked_url
from include.domains.weather import open_meteo
from include.domains.weather.observations import Answer, Source
from spellbook.hooks.base import WeatherHook

if TYPE_CHECKING:
    import datetime as dt

    from include.domains.weather.cities import City


class OpenMeteoHook(WeatherHook):
    """Calls Open-Meteo's forecast and archive endpoints; customers put their key into the connection's password."""

    conn_type: ClassVar[Source] = "open_meteo"
    hook_name: ClassVar[str] = "Open-Meteo"
    default_url: ClassVar[str] = "https://api.open-meteo.com"
    default_archive_url: ClassVar[str] = "https://archive-api.open-meteo.com"
    key_parameter: ClassVar[str] = "apikey"
    calls_per_minute: ClassVar[int] = 180  # of 600 by weight, which grows with the cities of a call

    @override
    def answers(self, cities: tuple[City, ...], date: dt.date, asked_on: dt.date) -> tuple[Answer, ...]:
        """Make one call; a day younger than the archive's lag comes from the forecast endpoint."""
        endpoint = open_meteo.endpoint(date, asked_on)
        base = self.archive_url() if endpoint == "archive" else self.base_url()
        url = f"{base}/v1/{endpoint}"
        found = self.get_conn().get(url, open_meteo.parameters(cities, date))
        return (Answer(cities=cities, url=url, body=found.text, replayed_from=found.replayed_from),)

    @override
    def base_urls(self) -> tuple[str, ...]:
        """Return the forecast's and the archive's."""
        return self.base_url(), self.archive_url()

    def archive_url(self) -> str:
        """Return the extra ``archive_host``; without it the public archive, or the connection's own host.

        Raises:
            ConfigurationError: if it isn't an http(s) URL.
        """
        if configured := self.connection.extra_dejson.get("archive_host"):
            return checked_url(self.weather_conn_id, "extra.archive_host", str(configured), example=self.default_url)
        own = self.base_url()
        return self.default_archive_url if own == self.default_url else own
