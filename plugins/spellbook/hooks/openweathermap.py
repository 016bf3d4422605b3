"""OpenWeatherMap: a key in the connection's password; one call for each city."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from typing_extensions import override

from include.core.errors import ConfigurationError
from include.domains.weather import openweathermap
from include.domains.weather.observations import Answer, Source
from spellbook.hooks.base import WeatherHook

if TYPE_CHECKING:
    import datetime as dt

    from include.domains.weather.cities import City


class OpenWeatherMapHook(WeatherHook):
    """Calls OpenWeather's One Call "timemachine"; the plan that includes it allows 60 calls a minute."""

    conn_type: ClassVar[Source] = "openweathermap"
    hook_name: ClassVar[str] = "OpenWeatherMap"
    default_url: ClassVar[str] = "https://api.openweathermap.org"
    key_parameter: ClassVar[str] = "appid"
    calls_per_minute: ClassVar[int] = 60

    @override
    def answers(self, cities: tuple[City, ...], date: dt.date, asked_on: dt.date) -> tuple[Answer, ...]:
        """Make one call for each city."""
        if not self.connection.password:
            raise ConfigurationError(f"connection {self.weather_conn_id!r}: password: empty; put the API key there")
        url = f"{self.base_url()}/data/3.0/onecall/timemachine"
        api = self.get_conn()
        found = [(city, api.get(url, openweathermap.parameters(city, date))) for city in cities]
        return tuple(
            Answer(cities=(city,), url=url, body=answer.text, replayed_from=answer.replayed_from)
            for city, answer in found
        )
