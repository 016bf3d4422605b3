"""What is particular to one model; everything else in this package takes it from here."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd
from pydantic import BaseModel

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


@dataclass(frozen=True)
class Thresholds:
    """What is required of a candidate.

    Attributes:
        accuracy: its mean accuracy must lie above.
        segment_accuracy: its accuracy in a segment must not lie below.
        segment_rows: fewest rows on which a segment is judged.
    """

    accuracy: float = 0.8
    segment_accuracy: float = 0.55
    segment_rows: int = 30


@dataclass(frozen=True)
class Watched:
    """What the drift checks compare. One feature of each kind of knowledge: one that repeats another costs power.

    Attributes:
        categories, numbers: derived features, compared by their distribution.
        nullable: raw columns, compared by their share of missing values.
        ranged: raw columns, compared by their share of values outside the training's range.
    """

    categories: tuple[str, ...]
    numbers: tuple[str, ...]
    nullable: tuple[str, ...] = ()
    ranged: tuple[str, ...] = ()


@dataclass(frozen=True)
class CardText:
    """What the model card says beside the numbers, in Markdown: what the model is, its use, its data, its limits."""

    model: str
    intended_use: str
    data: str
    limits: str


@dataclass(frozen=True)
class ModelSpec:
    """A binary classifier of rows.

    Attributes:
        name: of the registered model, and of its folder in object storage.
        row: schema of a raw row, as a caller sends it and a training file has it.
        dtypes: pandas type of each of its columns.
        rows_name: what a request calls its rows.
        title: column that names a row in messages.
        label: column of the training rows that holds 0 or 1.
        positive: what a prediction of 1 means; a field of the answers.
        positive_text: the same in words, as in "predicted to …".
        derive: derived features of raw rows, one row each, by name.
        segment: segment of each raw row; a model is judged in each of them.
        segments_text: what the segments are.
        estimators: every model that may be trained, by name: from raw rows to the probability of 1.
        baselines: names of those that are only compared with.
        reference: name of the baseline that all are tested against.
        trusted_types: types that a model file may hold beside those that skops trusts.
        watched: what the drift checks compare.
        card: what the model card says beside the numbers.
        thresholds: returns what is required of a candidate.
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

    @property
    def columns(self) -> list[str]:
        """Names of a raw row's columns."""
        return list(self.row.model_fields)

    @property
    def outcome(self) -> str:
        """What the drift checks call the share of rows that are predicted as 1."""
        return f"predicted to {self.positive_text}"

    def frame(self, rows: Sequence[BaseModel]) -> pd.DataFrame:
        """Return raw rows as a frame with :attr:`columns`, missing values as NaN."""
        content = [row.model_dump() for row in rows]
        return pd.DataFrame(content, columns=self.columns).astype(dict(self.dtypes))


def plain(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as a caller would send them: what is missing is None."""
    found = rows.astype(object).where(rows.notna(), None).to_dict("records")
    return [{str(name): value for name, value in row.items()} for row in found]


def content_digest(table: pd.DataFrame) -> str:
    """Return the SHA-256 of the rows, whatever file format they came in."""
    return hashlib.sha256(table.to_csv(index=False).encode()).hexdigest()
