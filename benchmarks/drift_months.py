"""Simulated months of traffic: days drawn from a population of which the training rows are a sample, too."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from include.core.ml.drift.baseline import Days
from include.core.ml.drift.checks import Limits, check
from include.core.ml.drift.summary import Features
from include.core.ml.evaluation import Folds, cross_validate
from include.domains.titanic.models import soft_vote
from include.domains.titanic.passengers import COLUMNS, LABEL, read
from include.domains.titanic.spec import TITANIC

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from include.core.ml.drift.checks import Finding

    Floats = NDArray[np.float64]
    Change = Callable[[pd.DataFrame, int], pd.DataFrame]
    Shares = Callable[[pd.DataFrame, int], Floats]

PASSENGERS = Path(__file__).parent.parent / "include" / "data" / "titanic" / "train.csv"
START = dt.date(2024, 1, 1)


@dataclass(frozen=True)
class Population:
    """The passengers with out-of-fold predictions, from whom training rows and traffic are drawn with replacement."""

    rows: pd.DataFrame
    labels: NDArray[np.int64]
    probabilities: Floats

    @classmethod
    def read(cls) -> Population:
        """Read the recorded passengers and cross-validate the model."""
        table = read(PASSENGERS.read_bytes())
        rows, labels = table[list(COLUMNS)].reset_index(drop=True), table[LABEL].to_numpy(np.int64)
        return cls(rows, labels, cross_validate(soft_vote(), rows, labels, Folds(repeats=1)).probabilities[0])


@dataclass(frozen=True)
class Scenario:
    """What happens from the first day after the healthy history on, to all rows.

    Attributes:
        name: in words.
        features: features whose alarm counts as a detection; empty for any alarm.
        change: returns the population's rows on a day, counted from 1.
        weights: returns the relative frequency of each of its rows on that day.
    """

    name: str
    features: tuple[str, ...] = ()
    change: Change | None = None
    weights: Shares | None = None


def first_alarm(
    population: Population, scenario: Scenario, seed: int, days: int, history: int, rows: int, limits: Limits
) -> tuple[int, list[Finding]]:
    """Return the first day with an alarm, ``days`` + 1 if there is none, and its alarms."""
    generator = np.random.default_rng(seed)
    count = len(population.rows)
    sample = generator.integers(count, size=count)
    reference = population.rows.iloc[sample].reset_index(drop=True)
    features = Features.of(TITANIC, reference)
    training = features.summary(reference, population.probabilities[sample])
    old = features.values(reference, population.probabilities[sample]), TITANIC.segment(reference).to_numpy(str)
    values, segments = features.values(population.rows, population.probabilities), TITANIC.segment(population.rows)
    names = segments.to_numpy(str)
    dates = tuple(START + dt.timedelta(index) for index in range(history + days))
    shape = (history + days, 1 + len(features.segments), len(features.names))
    past = Days(dates, np.zeros(shape), np.zeros(shape), np.zeros(shape), np.ones(len(dates), dtype=bool))
    for index in range(history + days):
        day, weights = index - history + 1, np.ones(count)
        if day > 0 and scenario.change:
            changed = scenario.change(population.rows, day)
            values = features.values(changed, population.probabilities)
        if day > 0 and scenario.weights:
            weights = scenario.weights(population.rows, day)
        drawn = generator.choice(count, rows, p=weights / weights.sum())
        new = values[drawn], names[drawn]
        for part, segment in enumerate(("all", *features.segments)):
            chosen = new[0] if segment == "all" else new[0][new[1] == segment]
            known = ~np.isnan(chosen)
            total = known.sum(axis=0)
            mean = np.nansum(chosen, axis=0) / np.maximum(total, 1)
            past.rows[index, part], past.mean[index, part] = total, mean
            past.sd[index, part] = np.sqrt(np.nansum((chosen - mean) ** 2, axis=0) / np.maximum(total, 1))
        if day > 0:
            until = slice(0, index + 1)
            seen = Days(dates[until], past.rows[until], past.mean[until], past.sd[until], past.healthy[until])
            alarms = [item for item in check(features, training, seen, old, new, limits) if item.alarm]
            alarms = [item for item in alarms if not scenario.features or item.feature in scenario.features]
            if alarms:
                return day, alarms
    return days + 1, []
