"""Drift checks of a day: compares features and predictions, by segment, with the training rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import pandas as pd

from include.core.ml.drift.statistics import Shift, categorical_shift, holm, numeric_shift, rate_shift

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from include.core.ml.spec import ModelSpec

WHOLE = "all"
PREDICTION, MISSING, OUT_OF_RANGE = "prediction", "missing ", "out of range "


@dataclass(frozen=True)
class Limits:
    """Limits for an alarm.

    Attributes:
        alpha: probability of any false alarm in a run: half of it for the predictions, half for the features.
        psi: minimum population stability index for an alarm.
        rows: minimum predictions of a segment to be compared.
    """

    alpha: float = 0.03
    psi: float = 0.1
    rows: int = 20


@dataclass(frozen=True)
class Finding:
    """The result of one check of a day.

    Attributes:
        segment: a segment of the spec, or ``all``.
        feature: the compared feature.
        rows: number of predictions compared.
        psi, distance: see :class:`include.core.ml.drift.statistics.Shift`.
        p_value: adjusted for the number of checks of the run.
        reference: mean of the reference, for numbers and rates.
        observed: mean of the day.
        alarm: whether the limits are exceeded.
    """

    segment: str
    feature: str
    rows: int
    psi: float
    distance: float
    p_value: float
    reference: float | None
    observed: float | None
    alarm: bool

    def __str__(self) -> str:
        means = "" if self.reference is None else f", mean {self.reference:.3g} became {self.observed:.3g}"
        return (
            f"segment {self.segment}, {self.feature}{means}: PSI {self.psi:.2f}, distance {self.distance:.2f},"
            f" adjusted p {self.p_value:.2g}, {self.rows} rows"
        )


@dataclass(frozen=True)
class _Compared:
    segment: str
    feature: str
    rows: int
    shift: Shift
    reference: float | None
    observed: float | None


def check(
    spec: ModelSpec,
    reference: pd.DataFrame,
    reference_probabilities: NDArray[np.float64],
    served: pd.DataFrame,
    probabilities: NDArray[np.float64],
    limits: Limits,
) -> list[Finding]:
    """Compare the rows and predictions served in a day with those of the training.

    Args:
        spec: spec of the model.
        reference: raw training rows.
        reference_probabilities: out-of-fold probability for each of them.
        served: raw rows of the day.
        probabilities: served probability for each of them.
        limits: limits for an alarm.
    """
    ranges = {name: (float(reference[name].min()), float(reference[name].max())) for name in spec.watched.ranged}
    old, new = (
        _view(spec, rows, predicted, ranges)
        for rows, predicted in ((reference, reference_probabilities), (served, probabilities))
    )
    names = (WHOLE, *sorted(set(old["segment"])))
    compared = [item for name in names for item in _compare(spec, name, old, new, limits)]
    predictions = [item for item in compared if item.feature in {PREDICTION, spec.outcome}]
    features = [item for item in compared if item.feature not in {PREDICTION, spec.outcome}]
    return [*_judge(predictions, limits), *_judge(features, limits)]


def _judge(family: list[_Compared], limits: Limits) -> list[Finding]:
    adjusted = holm([item.shift.p_value for item in family])
    return [
        Finding(
            item.segment,
            item.feature,
            item.rows,
            item.shift.psi,
            item.shift.distance,
            p_value,
            item.reference,
            item.observed,
            p_value < limits.alpha / 2 and item.shift.psi >= limits.psi,
        )
        for item, p_value in zip(family, adjusted, strict=True)
    ]


def _view(
    spec: ModelSpec, rows: pd.DataFrame, probabilities: NDArray[np.float64], ranges: dict[str, tuple[float, float]]
) -> pd.DataFrame:
    """Return derived features, predictions and flags for missing and out-of-range values, one row each."""
    view = spec.derive(rows)
    view["segment"] = spec.segment(rows)
    view[PREDICTION] = probabilities
    view[spec.outcome] = probabilities > 0.5
    for name in spec.watched.nullable:
        view[f"{MISSING}{name}"] = rows[name].isna()
    for name, (minimum, maximum) in ranges.items():
        view[f"{OUT_OF_RANGE}{name}"] = rows[name].lt(minimum) | rows[name].gt(maximum)
    return view


def _compare(spec: ModelSpec, name: str, old: pd.DataFrame, new: pd.DataFrame, limits: Limits) -> Iterator[_Compared]:
    watched = spec.watched
    if name != WHOLE:
        old, new = old[old["segment"].eq(name)], new[new["segment"].eq(name)]
    rows = len(new)
    if rows < limits.rows or len(old) < limits.rows:
        return
    for feature in watched.categories if name != WHOLE else (*watched.categories, "segment"):
        yield _Compared(name, feature, rows, categorical_shift(old[feature], new[feature]), None, None)
    for feature in (*watched.numbers, PREDICTION):
        means = float(old[feature].mean()), float(new[feature].mean())
        yield _Compared(name, feature, rows, numeric_shift(old[feature], new[feature]), *means)
    flags = (f"{MISSING}{name}" for name in watched.nullable), (f"{OUT_OF_RANGE}{name}" for name in watched.ranged)
    for feature in (spec.outcome, *chain(*flags)):
        rates = float(old[feature].mean()), float(new[feature].mean())
        yield _Compared(name, feature, rows, rate_shift(old[feature], new[feature]), *rates)
