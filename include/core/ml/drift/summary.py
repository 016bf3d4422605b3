"""Summarises rows by segment: the rows, mean and deviation of each feature, from which any later test is computed.

A category becomes a rate for each of its levels, such as ``Embarked=Q``, so that all features are numbers.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from include.core.ml.drift.statistics import independent

if TYPE_CHECKING:
    from collections.abc import Collection

    import pandas as pd
    from numpy.typing import NDArray

    from include.core.ml.spec import ModelSpec

    Floats = NDArray[np.float64]

WHOLE = "all"
PREDICTION, MISSING, OUT_OF_RANGE, SEGMENT = "prediction", "missing ", "out of range ", "segment"
OTHER = "other"
RARE = 0.02  # a level with a smaller share of the training rows is counted with the other rare ones


@dataclass(frozen=True)
class Features:
    """The features of a model's rows.

    Attributes:
        names: the numbers, the prediction, rates of missing and of out-of-range values, and a rate for each level.
        numbers: how many of them, from the first, are numbers; the others are rates.
        shares: how many of them, from the last, are shares of segments or of levels that a segment implies, such as
            a sex: they are compared overall only.
        segments: segments of the training rows.
        levels: the common levels of each category, and at last the common segments.
        ranges: minimum and maximum of the training rows.
        independent: effective number of independent features.
    """

    spec: ModelSpec
    names: tuple[str, ...]
    numbers: int
    shares: int
    segments: tuple[str, ...]
    levels: dict[str, tuple[str, ...]]
    ranges: dict[str, tuple[float, float]]
    independent: float = 1.0

    @classmethod
    def of(cls, spec: ModelSpec, reference: pd.DataFrame) -> Features:
        """Return the features of a model that was trained on the ``reference`` rows."""
        watched, derived, segments = spec.watched, spec.derive(reference), spec.segment(reference)
        implied = [name for name in watched.categories if derived[name].groupby(segments).nunique().max() == 1]
        within = [name for name in watched.categories if name not in implied]
        levels = {name: _common(derived[name]) for name in (*within, *implied)}
        levels[_distinct(SEGMENT, watched.categories)] = _common(segments)
        numbers = (*watched.numbers, _distinct(PREDICTION, watched.numbers))
        flags = [f"{MISSING}{name}" for name in watched.nullable] + [f"{OUT_OF_RANGE}{name}" for name in watched.ranged]
        rates = [f"{name}={level}" for name, common in levels.items() for level in (*common, _distinct(OTHER, common))]
        features = cls(
            spec,
            (*numbers, *flags, *rates),
            len(numbers),
            sum(len(common) + 1 for common in [*levels.values()][len(within) :]),
            tuple(sorted(set(segments))),
            levels,
            {name: (float(reference[name].min()), float(reference[name].max())) for name in watched.ranged},
        )
        values = features.values(reference, np.zeros(len(reference)))
        return replace(features, independent=1 + independent(values))  # the prediction counts as one

    def values(self, rows: pd.DataFrame, probabilities: Floats) -> Floats:
        """Return the values of each feature, rows x features; NaN where a number is missing."""
        watched, derived = self.spec.watched, self.spec.derive(rows)
        columns = [derived[name].to_numpy(np.float64) for name in watched.numbers]
        columns.append(probabilities)
        columns += [rows[name].isna().to_numpy() for name in watched.nullable]
        columns += [(rows[name].lt(low) | rows[name].gt(high)).to_numpy() for name, (low, high) in self.ranges.items()]
        *categories, _ = self.levels
        texts = [*(derived[name] for name in categories), self.spec.segment(rows)]
        for text, common in zip(texts, self.levels.values(), strict=True):
            column = text.astype(str).to_numpy()
            columns += [column == level for level in common]
            columns.append(~np.isin(column, common))
        return np.column_stack(columns).astype(np.float64)

    def summary(self, rows: pd.DataFrame, probabilities: Floats) -> Summary:
        """Summarise rows and their predictions."""
        return self.summarise(self.values(rows, probabilities), self.spec.segment(rows).to_numpy(str))

    def summarise(self, values: Floats, names: NDArray[np.str_]) -> Summary:
        """Summarise the values of rows, whose segments are ``names``."""
        parts = [values, *(values[names == segment] for segment in self.segments)]
        return Summary(*(np.stack(moment) for moment in zip(*map(_moments, parts), strict=True)))


@dataclass(frozen=True)
class Summary:
    """Rows with a value, mean, standard deviation and skewness of each feature: (all, then each segment) x features."""

    rows: Floats
    mean: Floats
    sd: Floats
    skewness: Floats


def _distinct(name: str, taken: Collection[str]) -> str:
    """Return the name of a feature that isn't among those that the model's own columns have."""
    return f"{name} (of the model)" if name in taken else name


def _common(column: pd.Series[str]) -> tuple[str, ...]:
    shares = column.astype(str).value_counts(normalize=True)
    return tuple(sorted(shares[shares >= RARE].index))


def _moments(values: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    count = (~np.isnan(values)).sum(axis=0).astype(np.float64)
    with warnings.catch_warnings():  # columns without values
        warnings.simplefilter("ignore", RuntimeWarning)
        mean = np.nan_to_num(np.nanmean(values, axis=0))
        sd = np.nan_to_num(np.nanstd(values, axis=0))
        skewness = np.nan_to_num(np.nanmean((values - mean) ** 3, axis=0)) / np.where(sd > 0, sd, 1) ** 3
    return count, mean, sd, skewness
