"""What both weather APIs are brought to: one typed observation for a city and a UTC day."""

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, FiniteFloat, ValidationError

from include.core.replay import described
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
        city: name as it was asked for.
        temperature_c: °C; the day's mean (Open-Meteo) or the reading at 12:00 UTC (OpenWeather).
        conditions: text of the common vocabulary.
        source: the API that said so.
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
        """Source, and the recorded day of sample data."""
        return described(self.source, self.replayed_from)


Record = Observation | Rejected


class Answer(BaseModel):
    """One HTTP answer, word for word.

    Attributes:
        cities: what it was asked about, in the order of the request.
        url: the request without its key.
        body: text of the answer.
        replayed_from: the recorded day that sample data replays.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    cities: tuple[City, ...]
    url: str
    body: str
    replayed_from: dt.date | None = None


class RawWeather(BaseModel):
    """All that an upstream answered about one UTC day; kept as it came, so that it can be read again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Source
    date: dt.date
    answers: tuple[Answer, ...]

    @property
    def cities(self) -> tuple[City, ...]:
        """Every city that was asked for."""
        return tuple(city for answer in self.answers for city in answer.cities)

    @property
    def replayed_from(self) -> dt.date | None:
        """The recorded day that sample data replays; of several, the first."""
        return min((answer.replayed_from for answer in self.answers if answer.replayed_from), default=None)


def observe(row: dict[str, Any], **fields: object) -> Record:
    """Return the observation that ``fields`` make, or ``row`` with the reason why they make none."""
    try:
        return Observation.model_validate(fields)
    except ValidationError as error:
        return Rejected(row, "; ".join(_words(detail) for detail in error.errors(include_url=False)))


def split(records: Iterable[Record]) -> tuple[list[Observation], list[Rejected]]:
    """Part the usable records from the others; none is lost."""
    kept: list[Observation] = []
    rejected: list[Rejected] = []
    for record in records:
        if isinstance(record, Observation):
            kept.append(record)
        else:
            rejected.append(record)
    return kept, rejected


def _words(detail: Any) -> str:
    return f"{'.'.join(map(str, detail['loc']))}: {detail['msg']} (got {detail['input']!r})"
