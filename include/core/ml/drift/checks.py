"""Drift checks of a day: compares features and predictions, by segment, with the baseline."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from include.core.ml.drift.baseline import DELAY, baselines
from include.core.ml.drift.sequential import Baseline, Shift, onset, shift
from include.core.ml.drift.statistics import Difference, difference, holm
from include.core.ml.drift.summary import WHOLE

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from include.core.ml.drift.baseline import Days, Season
    from include.core.ml.drift.summary import Features, Summary

    Floats = NDArray[np.float64]
    Values = tuple[Floats, NDArray[np.str_]]

DAYS_IN_A_MONTH = 30
MOMENTS = ("rows", "mean", "sd", "skewness")


@dataclass(frozen=True)
class Limits:
    """Limits for an alarm; the probabilities are those of any false alarm of a model in a month of 30 days.

    Attributes:
        whole: of the sequential tests of all rows.
        segments: of the sequential tests of the segments.
        shapes: of the daily tests of distributions.
        accuracy: of the daily tests of the accuracy.
        shift: minimum shift of a mean, in standard deviations.
        tolerance: how far values may move before their distribution counts as changed, in standard deviations.
        accuracy_drop: minimum drop of the accuracy.
        rows: minimum predictions of a segment in a day for a daily test.
    """

    whole: float = 0.03
    segments: float = 0.005
    shapes: float = 0.005
    accuracy: float = 0.005
    shift: float = 0.05
    tolerance: float = 0.1
    accuracy_drop: float = 0.1
    rows: int = 20

    def of_a_day(self, monthly: float) -> float:
        """Return the probability of a false alarm in a day."""
        return monthly / DAYS_IN_A_MONTH


@dataclass(frozen=True)
class Finding:
    """A feature of a segment in a day.

    Attributes:
        segment: a segment of the spec, or ``all``.
        feature: a number, the prediction, a rate of missing or out-of-range values, or a level such as ``Embarked=Q``.
        rows: predictions of the day with a value.
        reference, observed: mean of the baseline and of the day.
        sd: standard deviation in the day.
        shift: mean shift in the window with the strongest evidence, in standard deviations.
        strength: test statistic of that window over its limit.
        since: first day of the shift, if there is one.
        distance, p_value: see :class:`include.core.ml.drift.statistics.Difference`; the latter adjusted for the number
            of tests of the day.
        alarm: whether the limits are exceeded.
    """

    segment: str
    feature: str
    rows: int
    reference: float
    observed: float
    sd: float
    shift: float
    strength: float
    since: dt.date | None
    distance: float | None
    p_value: float | None
    alarm: bool


def check(
    features: Features,
    training: Summary,
    days: Days,
    reference: Values,
    served: Values,
    limits: Limits,
    season: Season | None = None,
) -> list[Finding]:
    """Compare the last of ``days`` with the baseline.

    Args:
        features: features of the model.
        training: summary of the training rows, with out-of-fold predictions.
        days: the days on which the version served.
        reference: values of the rows whose distributions are compared with the day's, and their segments.
        served: the same of the day.
        limits: limits for an alarm.
        season: returns the season of a day, if the spec declares any.
    """
    base = baselines(features, training, days, season)
    test = Sequential(features, days, season, base)
    found = test.shifts(limits)
    today = base[season(days.dates[-1]) if season else ""]
    shapes = _shapes(features, reference, served, limits)
    findings = []
    for row, segment in enumerate((WHOLE, *features.segments)):
        for column, feature in enumerate(features.names if not row else features.names[: -features.shares]):
            count = int(days.rows[-1, row, column])
            if not count:
                continue
            size, strength = float(found.size[row, column]), float(found.strength[row, column])
            shifted = strength >= 1 and abs(size) >= limits.shift
            shape, p_value = shapes.get((segment, feature)) or (None, 1.0)
            reshaped = shape is not None and p_value < limits.of_a_day(limits.shapes)
            findings.append(
                Finding(
                    segment,
                    feature,
                    count,
                    float(today.mean[row, column]),
                    float(days.mean[-1, row, column]),
                    float(days.sd[-1, row, column]),
                    size,
                    strength,
                    test.since(row, column) if shifted else days.dates[-1] if reshaped else None,
                    None if shape is None else shape.distance,
                    p_value if shape else None,
                    shifted or reshaped,
                )
            )
    return findings


class Sequential:
    """The sequential tests of all features, see :mod:`include.core.ml.drift.sequential`.

    The strata of a segment are the seasons, those of all rows the seasons and segments. The shares of the segments
    themselves have no segments.
    """

    def __init__(self, features: Features, days: Days, season: Season | None, base: dict[str, Summary]) -> None:
        self._features = features
        window = [days.dates[-1] - dt.timedelta(days=ago) for ago in reversed(range(DELAY))]
        self._dates = window
        position = {date: index for index, date in enumerate(days.dates)}
        shape = (len(window), len(base), *days.rows.shape[1:])
        self._rows, self._mean = np.zeros(shape), np.zeros(shape)
        names = list(base)
        for index, date in enumerate(window):
            if date in position:
                name = names.index(season(date) if season else "")
                self._rows[index, name] = days.rows[position[date]]
                self._mean[index, name] = days.mean[position[date]]
        self._base = [
            np.stack([getattr(item, moment) for item in base.values()]) for moment in ("rows", "mean", "sd", "skewness")
        ]

    def shifts(self, limits: Limits) -> Shift:
        """Return the strongest shift of each feature: (all, then each segment) x features."""
        count, shares, effective = len(self._features.names), self._features.shares, self._features.independent
        whole = slice(0, count - shares)
        parts = [
            shift(*self._strata(slice(1, None), whole, together=True), limits.whole / effective),
            shift(*self._strata(slice(0, 1), slice(count - shares, count), together=True), limits.whole / effective),
        ]
        segments = len(self._features.segments)
        each = shift(*self._strata(slice(1, None), whole, together=False), limits.segments / segments / effective)
        strength, size = np.zeros((1 + segments, count)), np.zeros((1 + segments, count))
        strength[0], size[0] = (
            np.concatenate([getattr(part, name) for part in parts]) for name in ("strength", "size")
        )
        strength[1:, whole], size[1:, whole] = each.strength, each.size
        return Shift(strength, size)

    def since(self, row: int, column: int) -> dt.date:
        """Return the first day of the shift of a feature."""
        columns = slice(column, column + 1)
        is_share = column >= len(self._features.names) - self._features.shares
        strata = slice(row, row + 1) if row or is_share else slice(1, None)
        rows, mean, base = self._strata(strata, columns, together=True)
        first = onset(rows[0], mean[0], Baseline(*(getattr(base, name)[0] for name in MOMENTS)))
        return self._dates[first]

    def _strata(self, rows: slice, columns: slice, *, together: bool) -> tuple[Floats, Floats, Baseline]:
        """Return rows, means and baseline: features x days x strata; of each segment apart, unless ``together``."""
        days = [array[:, :, rows, columns] for array in (self._rows, self._mean)]
        base = [array[:, rows, columns] for array in self._base]
        if together:
            flat = [array.reshape(len(array), -1, array.shape[-1]).transpose(2, 0, 1) for array in days]
            flat_base = [array.reshape(-1, array.shape[-1]).T for array in base]
        else:
            flat = [array.transpose(2, 3, 0, 1) for array in days]
            flat_base = [array.transpose(1, 2, 0) for array in base]
        return flat[0], flat[1], Baseline(*flat_base)


def _shapes(
    features: Features, reference: Values, served: Values, limits: Limits
) -> dict[tuple[str, str], tuple[Difference, float]]:
    """Compare the distributions of the numbers in each segment with enough rows."""
    found: dict[tuple[str, str], Difference] = {}
    for segment in (WHOLE, *features.segments):
        old, new = (values if segment == WHOLE else values[names == segment] for values, names in (reference, served))
        for column, feature in enumerate(features.names[: features.numbers]):
            before, now = (values[~np.isnan(values[:, column]), column] for values in (old, new))
            if min(len(before), len(now)) >= limits.rows and np.ptp(before) > 0:
                found[segment, feature] = difference(before, now, limits.tolerance)
    adjusted = holm([item.p_value for item in found.values()])
    return {key: (item, p_value) for (key, item), p_value in zip(found.items(), adjusted, strict=True)}
