"""The common format of both weather APIs: one typed observation for a city and a UTC day."""

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from include.core.replay import describe_day
from include.core.warehouse.dataset import Rejected
from include.domains.weather.cities import City
from include.domains.weather.conditions import Conditions

Source = Literal["open_meteo", "openweathermap"]


def _from_iso(value: object) -> object:
    return dt.date.fromisoformat(value) if isinstance(value, str) else value


class Observation(BaseModel):
    """The weather of one city on one UTC day.

    Attributes:
        date: the UTC day.
        city: name as requested.
        temperature_c: °C; the day's mean (Open-Meteo) or the reading at 12:00 UTC (OpenWeather).
        conditions: value of the common vocabulary.
        source: the API.
        replayed_from: the recorded day that sample data replays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    date: Annotated[dt.date, BeforeValidator(_from_iso)]
    city: Annotated[str, Field(min_length=1)]
    temperature_c: FiniteFloat
    conditions: Conditions
    source: Source
    replayed_from: dt.date | None = None

    @property
    def origin(self) -> str:
        """The source; for sample data, with the recorded day."""
        return describe_day(self.source, self.replayed_from)


Record = Observation | Rejected


class Response(BaseModel):
    """One unmodified HTTP response.

    Attributes:
        cities: the requested cities, in the order of the request.
        url: the request without its key.
        body: text of the response.
        replayed_from: the recorded day that sample data replays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cities: tuple[City, ...]
    url: str
    body: str
    replayed_from: dt.date | None = None


class RawWeather(BaseModel):
    """All responses of an API for one UTC day, unmodified, so that they can be parsed again.

    Attributes:
        source: the API.
        date: the UTC day.
        responses: the responses.
        requested_at: when the first was requested.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    date: dt.date
    responses: tuple[Response, ...]
    requested_at: dt.datetime | None = None

    @property
    def cities(self) -> tuple[City, ...]:
        """The requested cities."""
        return tuple(city for response in self.responses for city in response.cities)

    @property
    def replayed_from(self) -> dt.date | None:
        """The recorded day that sample data replays; the earliest, if there are several."""
        return min((response.replayed_from for response in self.responses if response.replayed_from), default=None)


def observe(row: dict[str, Any], **fields: object) -> Record:
    """Return an observation with ``fields``, or ``row`` rejected with the reason if they are invalid."""
    try:
        return Observation.model_validate(fields)
    except ValidationError as error:
        return Rejected(row, "; ".join(_message(detail) for detail in error.errors(include_url=False)))


def split(records: Iterable[Record]) -> tuple[list[Observation], list[Rejected]]:
    """Split the records into observations and rejected rows; none is dropped."""
    observations: list[Observation] = []
    rejected: list[Rejected] = []
    for record in records:
        if isinstance(record, Observation):
            observations.append(record)
        else:
            rejected.append(record)
    return observations, rejected


def _message(detail: Any) -> str:
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']} (got {detail['input']!r})"
