"""Converts observations in °C to rows of ``weather_data`` in °F, and rejects invalid ones with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import pandera.pandas as pa
from pandera.errors import SchemaErrors

from include.core.warehouse.dataset import Rejected
from include.domains.weather import open_meteo, openweathermap
from include.domains.weather.datasets import HIGHEST, LOWEST, TEMPERATURE_UNIT, WEATHER_DATA
from include.domains.weather.observations import Observation, RawWeather, Record, Source, split

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Callable, Iterator, Sequence

    from include.domains.weather.observations import Response

KEY = list(WEATHER_DATA.key)
COLUMNS = list(WEATHER_DATA.column_names)
READERS: dict[Source, Callable[[Response], Iterator[Record]]] = {
    "open_meteo": open_meteo.read,
    "openweathermap": openweathermap.read,
}


class Transformed(NamedTuple):
    """Every record of the upstream, exactly once: as a row of ``frame`` (:data:`COLUMNS`) or in ``rejected``."""

    frame: pd.DataFrame
    rejected: list[Rejected]


def to_fahrenheit(celsius: pd.Series[float]) -> pd.Series[float]:
    """Convert °C to °F: times 9/5, plus 32."""
    return celsius * 9 / 5 + 32


def records(raw: RawWeather) -> list[Record]:
    """Parse every response of ``raw``; nothing is dropped."""
    return [record for response in raw.responses for record in READERS[raw.source](response)]


def transform(raw: RawWeather) -> Transformed:
    """Convert the raw responses to rows of ``weather_data``.

    If a (date, city) occurs more than once with equal values, one row is kept and its copies are rejected. If the
    values differ, all of its rows are rejected, because none is known to be right.
    """
    observations, rejected = split(records(raw))
    frame = _frame(observations)
    reasons = _failures(frame, raw.date, [city.name for city in raw.cities])
    rejected += [
        Rejected(observations[position].model_dump(mode="json"), "; ".join(reasons[position]))
        for position in sorted(reasons)
    ]
    return Transformed(frame.drop(index=list(reasons)).reset_index(drop=True), rejected)


def schema(date: dt.date, cities: Sequence[str]) -> pa.DataFrameSchema:
    """Return the schema of the rows of one UTC day."""
    allowed = ", ".join(cities)
    return pa.DataFrameSchema(
        {
            "date": pa.Column(object, pa.Check.equal_to(date, error=f"date: must be {date}, the requested day")),
            "city": pa.Column(str, pa.Check.isin(cities, error=f"city: must be one of {allowed}")),
            "temperature": pa.Column(
                float,
                pa.Check.in_range(
                    LOWEST,
                    HIGHEST,
                    error=f"temperature: must be within {LOWEST:g}..{HIGHEST:g} {TEMPERATURE_UNIT} (-90..60 °C)",
                ),
            ),
            "temperature_unit": pa.Column(str, pa.Check.eq(TEMPERATURE_UNIT)),
            "conditions": pa.Column(str),
            "source": pa.Column(str),
        },
        checks=[
            pa.Check(_consistent, error="date, city: another row of the same day and city has different values"),
            pa.Check(_first, error="date, city: duplicate of a row that is loaded"),
        ],
        strict=True,
    )


def _frame(observations: Sequence[Observation]) -> pd.DataFrame:
    celsius = pd.Series([observation.temperature_c for observation in observations], dtype=float)
    columns = {
        "date": pd.Series([observation.date for observation in observations], dtype=object),
        "city": pd.Series([observation.city for observation in observations], dtype=str),
        "temperature": to_fahrenheit(celsius),
        "temperature_unit": pd.Series([TEMPERATURE_UNIT] * len(observations), dtype=str),
        "conditions": pd.Series([observation.conditions.value for observation in observations], dtype=str),
        "source": pd.Series([observation.origin for observation in observations], dtype=str),
    }
    return pd.DataFrame(columns, columns=COLUMNS)


def _failures(frame: pd.DataFrame, date: dt.date, cities: Sequence[str]) -> dict[int, list[str]]:
    """Return the reasons for rejecting each invalid row, by its position in ``frame``."""
    try:
        schema(date, cities).validate(frame, lazy=True)
    except SchemaErrors as errors:
        cases = errors.failure_cases
        if cases["index"].isna().any():
            raise  # a column is missing or has the wrong type: not an error of a row
        reasons = cases.drop_duplicates(["index", "check"]).groupby("index")["check"].agg(list)
        return {int(position): texts for position, texts in reasons.items()}
    return {}


def _consistent(frame: pd.DataFrame) -> pd.Series[bool]:
    different = frame.groupby(KEY)[["temperature", "conditions"]].transform("nunique")
    return different.eq(1).all(axis=1)


def _first(frame: pd.DataFrame) -> pd.Series[bool]:
    return ~frame.duplicated(COLUMNS, keep="first")
