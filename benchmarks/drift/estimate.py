"""The error of the accuracy that is estimated without outcomes, on days whose rows differ from the training's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from include.core.ml.drift.estimation import Estimator
from include.domains.titanic.features import segment

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    from numpy.typing import NDArray

    from benchmarks.drift.months import Population

    Floats = NDArray[np.float64]

ROWS = 400


def _tilt(rate: float, column: str) -> Callable[[pd.DataFrame], Floats]:
    def weights(rows: pd.DataFrame) -> Floats:
        return np.exp(rate * rows[column].fillna(rows[column].median()).to_numpy())

    return weights


def _favour(name: str, factor: float) -> Callable[[pd.DataFrame], Floats]:
    return lambda rows: np.where(segment(rows).eq(name), factor, 1.0)


SHIFTS: dict[str, Callable[[pd.DataFrame], Floats]] = {
    "no change": lambda rows: np.ones(len(rows)),
    "older passengers (mean 29 to 42)": _tilt(0.07, "Age"),
    "younger passengers (mean 29 to 16)": _tilt(-0.07, "Age"),
    "third-class women, four times as many": _favour("female-3", 4),
    "second-class men, four times as many": _favour("male-2", 4),
    "third-class men, a quarter": _favour("male-3", 0.25),
}
RELABELLED = "labels of a third of first-class women flipped"


def estimates(population: Population, days: int) -> list[str]:
    """Return the lines of a table: mean absolute errors of the estimate, and of taking the training's accuracy."""
    text = (
        f"### Estimated accuracy\n\n{days} days of {ROWS} predictions of one half of the passengers, estimated with the"
        " other half. Mean absolute error of the estimate, beside that of assuming the accuracy in cross-validation;"
        " both contain the noise of the observed accuracy, about 0.015 overall and 0.04 in a segment.\n"
    )
    lines = [
        text,
        "| rows of the day | observed | estimated | error | error of no change | error in a segment |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in (*SHIFTS, RELABELLED):
        generator = np.random.default_rng(11)
        results = np.array([_day(population, generator, name) for _ in range(days)])
        observed, estimated, error, plain, by_segment = results.mean(axis=0)
        lines.append(f"| {name} | {observed:.3f} | {estimated:.3f} | {error:.3f} | {plain:.3f} | {by_segment:.3f} |")
    return lines


def _day(population: Population, generator: np.random.Generator, name: str) -> tuple[float, ...]:
    order = generator.permutation(len(population.rows))
    known, unseen = order[: len(order) // 2], order[len(order) // 2 :]
    segments, probabilities, labels = segment(population.rows), population.probabilities, population.labels
    estimator = Estimator(probabilities[None, known], labels[known], segments.iloc[known])
    weights = SHIFTS.get(name, SHIFTS["no change"])(population.rows.iloc[unseen])
    drawn = generator.choice(unseen, ROWS, p=weights / weights.sum())
    actual = labels[drawn].copy()
    if name == RELABELLED:
        flipped = segments.iloc[drawn].eq("female-1").to_numpy() & (generator.random(ROWS) < 1 / 3)
        actual[flipped] = 1 - actual[flipped]
    right = (probabilities[drawn] > 0.5) == actual
    confidence = estimator.confidence(probabilities[drawn], segments.iloc[drawn])
    names = segments.iloc[drawn].to_numpy(str)
    errors = [abs(right[names == item].mean() - confidence[names == item].mean()) for item in sorted(set(names))]
    plain = ((probabilities[known] > 0.5) == labels[known]).mean()
    observed, estimated = right.mean(), confidence.mean()
    return observed, estimated, abs(observed - estimated), abs(observed - plain), float(np.mean(errors))
