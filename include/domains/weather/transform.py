"""Converts observations in °C to rows of ``weather_data`` in °F, and rejects invalid ones with the reason."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pandas as pd
import pyarrow as pa

from include.core.warehouse.validation.batch import LINE
from include.core.warehouse.validation.engine import accepted_schema
from include.core.warehouse.validation.frames import TableReader
from include.core.warehouse.validation.validate import validated
from include.domains.weather import open_meteo, openweathermap
from include.domains.weather.datasets import TEMPERATURE_UNIT, WEATHER_DATA
from include.domains.weather.observations import Observation, RawWeather, Record, Source, split

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from include.core.warehouse.dataset import Dataset, Rejected
    from include.domains.weather.observations import Response

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
    contract = _contract([city.name for city in raw.cities])
    origins = [observation.model_dump(mode="json") for observation in observations]
    reader = TableReader(_table(observations), contract, origins)
    accepted = [accepted_schema(contract).empty_table()]
    for judged in validated(reader, contract, raw.date):
        accepted.append(judged.accepted)
        rejected += judged.rejected
    rows = pa.concat_tables(accepted).sort_by(LINE).drop_columns([LINE])
    return Transformed(rows.to_pandas(), rejected)


def _contract(cities: Sequence[str]) -> Dataset:
    """Return the dataset's contract for a request of some cities."""
    columns = tuple(
        replace(column, allowed=tuple(cities)) if column.name == "city" else column for column in WEATHER_DATA.columns
    )
    return replace(WEATHER_DATA, columns=columns)


def _table(observations: Sequence[Observation]) -> pa.Table:
    celsius = pd.Series([observation.temperature_c for observation in observations], dtype=float)
    return pa.table(
        {
            "date": pa.array([observation.date for observation in observations], pa.date32()),
            "city": pa.array([observation.city for observation in observations], pa.string()),
            "temperature": pa.array(to_fahrenheit(celsius), pa.float64()),
            "temperature_unit": pa.array([TEMPERATURE_UNIT] * len(observations), pa.string()),
            "conditions": pa.array([observation.conditions.value for observation in observations], pa.string()),
            "source": pa.array([observation.origin for observation in observations], pa.string()),
        }
    )
