"""Simulated months of traffic: training rows and days are drawn, with replacement, from the same population."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from include.core.ml import skops_io
from include.core.ml.drift.baseline import Days
from include.core.ml.drift.checks import Limits, check
from include.core.ml.drift.summary import WHOLE, Features
from include.core.ml.evaluation import Folds, Scores, cross_validate
from include.domains.titanic.models import TRUSTED_TYPES, soft_vote
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from include.core.ml.drift.checks import Finding

    Floats = NDArray[np.float64]

LIST = Path(__file__).parents[2] / "include" / "data" / "titanic" / "train.csv"
START = dt.date(2024, 1, 1)


@dataclass(frozen=True)
class Population:
    """The passengers with out-of-fold predictions."""

    rows: pd.DataFrame
    labels: NDArray[np.int64]
    probabilities: Floats

    @classmethod
    def read(cls) -> Population:
        """Read the recorded passengers and cross-validate the model."""
        table = PASSENGER_LIST.read(LIST.read_bytes())
        rows, labels = table[list(COLUMNS)].reset_index(drop=True), table[LABEL].to_numpy(np.int64)
        models = {"soft_vote": skops_io.dumps(soft_vote())}
        scores = cross_validate(models, TRUSTED_TYPES, rows, labels, np.arange(len(labels)), Folds(repeats=1))[
            "soft_vote"
        ]
        if not isinstance(scores, Scores):
            raise scores
        return cls(rows, labels, scores.probabilities[0])


@dataclass(frozen=True)
class Scenario:
    """What happens from the first day after the healthy history on.

    Attributes:
        name: in words.
        features: features whose alarm counts as a detection; empty for any alarm.
        change: returns the population's rows on a day, counted from 1.
        share: returns which rows become more frequent; their share rises by half a point a day.
        invert: whether the predictions are inverted.
    """

    name: str
    features: tuple[str, ...] = ()
    change: Callable[[pd.DataFrame, int], pd.DataFrame] | None = None
    share: Callable[[pd.DataFrame], pd.Series[bool]] | None = None
    invert: bool = False


class Month:
    """A version in service: its training rows, and healthy days of traffic so far."""

    def __init__(self, population: Population, seed: int, rows: int, history: int) -> None:
        self._population, self._rows, self._history = population, rows, history
        self._generator = np.random.default_rng([seed, rows, history])
        sample = self._generator.integers(len(population.rows), size=len(population.rows))
        reference, probabilities = population.rows.iloc[sample].reset_index(drop=True), population.probabilities[sample]
        self._features = Features.of(TITANIC, reference)
        self._training = self._features.summary(reference, probabilities)
        self._old = self._features.values(reference, probabilities), TITANIC.segment(reference).to_numpy(str)
        self._values = self._features.values(population.rows, population.probabilities)
        self._segments = TITANIC.segment(population.rows).to_numpy(str)
        self._past = self._moments(self._values, np.stack([self._draw() for _ in range(history)])) if history else None

    def first_alarm(self, scenario: Scenario, days: int, limits: Limits) -> tuple[int, list[Finding]]:
        """Return the first day with an alarm and its alarms; ``days`` + 1 if there is none."""
        past = self._past
        for day in range(1, days + 1):
            values, weights = self._day(scenario, day)
            drawn = self._draw(weights)
            today = self._moments(values, drawn[None])
            past = today if past is None else np.concatenate([past, today], axis=1)
            dates = tuple(START + dt.timedelta(index) for index in range(past.shape[1]))
            seen = Days(dates, past[0], past[1], past[2], np.ones(len(dates), dtype=bool))
            new = values[drawn], self._segments[drawn]
            alarms = [
                finding
                for finding in check(self._features, self._training, seen, self._old, new, limits)
                if finding.alarm and (not scenario.features or finding.feature in scenario.features)
            ]
            if alarms:
                return day, alarms
        return days + 1, []

    def _day(self, scenario: Scenario, day: int) -> tuple[Floats, Floats | None]:
        """Return the values of the population's rows on a day, and how likely each is drawn."""
        population, values, weights = self._population, self._values, None
        if scenario.change or scenario.invert:
            rows = scenario.change(population.rows, day) if scenario.change else population.rows
            probabilities = 1 - population.probabilities if scenario.invert else population.probabilities
            values = self._features.values(rows, probabilities)
        if scenario.share:
            chosen = scenario.share(population.rows).to_numpy()
            before, now = chosen.mean(), chosen.mean() + 0.005 * day
            weights = np.where(chosen, now / before, (1 - now) / (1 - before)) / len(chosen)
        return values, weights

    def _draw(self, weights: Floats | None = None) -> NDArray[np.int64]:
        return self._generator.choice(len(self._population.rows), self._rows, p=weights)

    def _moments(self, values: Floats, drawn: NDArray[np.int64]) -> Floats:
        """Return rows, mean and deviation of drawn days: 3 x days x (all, then each segment) x features."""
        counts = np.stack([np.bincount(day, minlength=len(values)) for day in drawn]).astype(np.float64)
        known, filled = (~np.isnan(values)).astype(np.float64), np.nan_to_num(values)
        parts = []
        for segment in (WHOLE, *self._features.segments):
            chosen = counts if segment == WHOLE else counts * (self._segments == segment)
            rows = chosen @ known
            mean = chosen @ filled / np.maximum(rows, 1)
            square = chosen @ filled**2 / np.maximum(rows, 1)
            parts.append(np.stack([rows, mean, np.sqrt(np.maximum(square - mean**2, 0))]))
        return np.stack(parts, axis=2)
