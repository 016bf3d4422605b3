"""The specification of a model: everything that is specific to it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import BaseModel

from include.core.ml.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import date


@dataclass(frozen=True)
class Thresholds:
    """Requirements for a candidate.

    Attributes:
        accuracy: mean accuracy must be above this.
        segment_accuracy: minimum accuracy in each segment.
        segment_rows: minimum rows of each segment.
        slice_rows: minimum rows of a slice that is searched for harm.
        hidden_harm: largest loss of accuracy in a segment that isn't refused at its size.
        calibration_error: largest expected calibration error.
        copies: largest share of rows that are copies of others.
        milliseconds, load_seconds, memory_mib, file_mib: largest time of a call with one row, time to load, memory
            that the loaded model takes, and file.
        cost_multiple: how many times the champion's each of these may be.
    """

    accuracy: float = 0.8
    segment_accuracy: float = 0.55
    segment_rows: int = 30
    slice_rows: int = 20
    hidden_harm: float = 0.35
    calibration_error: float = 0.1
    copies: float = 0.01
    milliseconds: float = 100
    load_seconds: float = 5
    memory_mib: float = 256
    file_mib: float = 64
    cost_multiple: float = 3


@dataclass(frozen=True)
class Watched:
    """What the drift checks compare. Avoid redundant features: each check reduces the statistical power.

    Attributes:
        categories, numbers: derived features, compared by their distribution; a category by the share of each level.
        nullable: raw columns, compared by their share of missing values.
        ranged: raw columns, compared by their share of values outside the training's range.
        season: returns the season of a day, such as ``weekend``, if the rows differ regularly; a day is then compared
            with the healthy days of its season, see :mod:`include.core.ml.drift.baseline`.
    """

    categories: tuple[str, ...]
    numbers: tuple[str, ...]
    nullable: tuple[str, ...] = ()
    ranged: tuple[str, ...] = ()
    season: Callable[[date], str] | None = None


@dataclass(frozen=True)
class CardText:
    """Texts of the model card, in Markdown: owner, model, why its threshold is 0.5, intended use, data, limits."""

    owner: str
    model: str
    threshold_reason: str
    intended_use: str
    data: str
    limits: str


@dataclass(frozen=True)
class ModelSpec:
    """A binary classifier of rows.

    Attributes:
        name: name of the registered model and of its folder in object storage.
        row: schema of a raw row in requests and training files.
        dtypes: pandas type of each of its columns.
        rows_name: field of the rows in a request.
        title: column that identifies a row in messages.
        label: column of the training rows that holds 0 or 1.
        positive: meaning of a prediction of 1; a field of the response.
        positive_text: the same as text, as in "predicted to …".
        derive: returns the derived features of raw rows.
        segment: returns the segment of each raw row; a model is checked in each segment.
        segments_text: description of the segments.
        segments: names of those that every training list must have.
        estimators: factories of all models, by name; each predicts from raw rows.
        baselines: names of the models that serve only for comparison.
        reference: name of the baseline that all are tested against.
        trusted_types: types that a model file may contain in addition to those that skops trusts.
        watched: what the drift checks compare.
        card: texts of the model card.
        thresholds: returns the requirements for a candidate.
    """

    name: str
    row: type[BaseModel]
    dtypes: Mapping[str, str]
    rows_name: str
    title: str
    label: str
    positive: str
    positive_text: str
    derive: Callable[[pd.DataFrame], pd.DataFrame]
    segment: Callable[[pd.DataFrame], pd.Series[str]]
    segments_text: str
    estimators: Mapping[str, Callable[[], Any]]
    baselines: tuple[str, ...]
    reference: str
    trusted_types: tuple[str, ...]
    watched: Watched
    card: CardText
    thresholds: Callable[[], Thresholds] = field(default=Thresholds)
    segments: tuple[str, ...] = ()

    @property
    def columns(self) -> list[str]:
        """Column names of a raw row."""
        return list(self.row.model_fields)

    @property
    def path(self) -> str:
        """Path of the model at the model server."""
        return f"/models/{self.name}"

    @property
    def outcome(self) -> str:
        """Name of the share of rows predicted as 1, in messages and on the model card."""
        return f"predicted to {self.positive_text}"

    def frame(self, rows: Sequence[BaseModel]) -> pd.DataFrame:
        """Return raw rows as a data frame with :attr:`columns`, missing values as NaN.

        Raises:
            DataError: naming the column that has a value of another type, such as an integer of more than 64 bits.
        """
        return typed({name: [getattr(row, name) for row in rows] for name in self.columns}, self.dtypes)


def typed(columns: Mapping[str, list[Any]], dtypes: Mapping[str, str]) -> pd.DataFrame:
    """Return columns as a data frame with these types, missing values as NaN; see :meth:`ModelSpec.frame`."""
    return pd.DataFrame({name: _column(name, values, dtypes[name]) for name, values in columns.items()})


def _column(name: str, values: list[Any], type_name: str) -> Any:
    dtype: Any = pd.api.types.pandas_dtype(type_name)
    try:
        return np.array(values, dtype) if isinstance(dtype, np.dtype) else pd.array(values, dtype)
    except (ValueError, TypeError, OverflowError):
        raise DataError(f"{name}: a value doesn't fit the type {dtype}") from None


def to_records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as sent by a caller, with None for missing values."""
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in records]


def content_digest(table: pd.DataFrame) -> str:
    """Return the SHA-256 of the rows, independent of their file format."""
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
