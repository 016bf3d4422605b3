"""The day's checks: every feature and the predictions, in every segment, against what the model was trained on."""

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
PREDICTION, MISSING, BEYOND = "prediction", "missing ", "out of range "


@dataclass(frozen=True)
class Limits:
    """When a difference is an alarm.

    Attributes:
        alpha: chance of any false alarm in one run: half of it for the predictions, half for the features.
        psi: smallest population stability index that matters.
        rows: fewest predictions of a segment that are compared.
    """

    alpha: float = 0.03
    psi: float = 0.1
    rows: int = 20


@dataclass(frozen=True)
class Finding:
    """One check of one day.

    Attributes:
        segment: one of the spec's, or ``all``.
        feature: what was compared.
        rows: predictions compared.
        psi, distance: see :class:`include.core.ml.drift.statistics.Shift`.
        p_value: adjusted for the number of checks of the run.
        reference: mean of the reference, for numbers and rates.
        observed: mean of the day's.
        alarm: whether somebody should look.
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
    """Compare the rows served in a day, and what was predicted of them, with the training's.

    Args:
        spec: of the model.
        reference: raw rows that the model was trained on.
        reference_probabilities: what it says of each when it hasn't seen them (out of fold), one a row.
        served: raw rows of the day.
        probabilities: what was served of each, one a row.
        limits: when a difference is an alarm.
    """
    ranges = {name: (float(reference[name].min()), float(reference[name].max())) for name in spec.watched.ranged}
    old, new = (
        _view(spec, rows, answers, ranges)
        for rows, answers in ((reference, reference_probabilities), (served, probabilities))
    )
    compared = [one for name in (WHOLE, *sorted(set(old["segment"]))) for one in _compare(spec, name, old, new, limits)]
    predictions = [one for one in compared if one.feature in {PREDICTION, spec.outcome}]
    features = [one for one in compared if one.feature not in {PREDICTION, spec.outcome}]
    return [*_judge(predictions, limits), *_judge(features, limits)]


def _judge(family: list[_Compared], limits: Limits) -> list[Finding]:
    adjusted = holm([one.shift.p_value for one in family])
    return [
        Finding(
            one.segment,
            one.feature,
            one.rows,
            one.shift.psi,
            one.shift.distance,
            p_value,
            one.reference,
            one.observed,
            p_value < limits.alpha / 2 and one.shift.psi >= limits.psi,
        )
        for one, p_value in zip(family, adjusted, strict=True)
    ]


def _view(
    spec: ModelSpec, rows: pd.DataFrame, probabilities: NDArray[np.float64], ranges: dict[str, tuple[float, float]]
) -> pd.DataFrame:
    """Return derived features, predictions and marks of what is missing or out of range, a row each."""
    view = spec.derive(rows)
    view["segment"] = spec.segment(rows)
    view[PREDICTION] = probabilities
    view[spec.outcome] = probabilities > 0.5
    for name in spec.watched.nullable:
        view[f"{MISSING}{name}"] = rows[name].isna()
    for name, (least, most) in ranges.items():
        view[f"{BEYOND}{name}"] = rows[name].lt(least) | rows[name].gt(most)
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
    rates_of = (f"{MISSING}{one}" for one in watched.nullable), (f"{BEYOND}{one}" for one in watched.ranged)
    for feature in (spec.outcome, *chain(*rates_of)):
        rates = float(old[feature].mean()), float(new[feature].mean())
        yield _Compared(name, feature, rows, rate_shift(old[feature], new[feature]), *rates)
