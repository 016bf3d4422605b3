"""Finds slow drift: compares the means of growing windows of days, which end today, with a baseline.

A window's weights rise linearly from its oldest day to today, which has the most power against a creep (the cuscore
for a ramp: G. Box, J. Ramírez, Cumulative score charts, Quality and Reliability Engineering International 8, 1992), and
loses little against a step. Days are added up stratum by stratum, each less its own baseline, so that neither the mix
of the segments nor a season counts as a drift.

Two errors are kept apart. The noise of the days is drawn anew every day, so that its limit allows for the number of
looks in a month. The error of the baseline's own mean is drawn once, and its limit is lower.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

WINDOWS = (1, 2, 4, 8, 16)
LOOKS, BASELINE_LOOKS = 100, 30
"""Independent tests with the same false alarms as a month's overlapping ones: for the noise, and for the error of the
baseline, which adds to each of them. ``tests/unit/ml/test_sequential.py`` simulates them."""


@dataclass(frozen=True)
class Baseline:
    """What a feature is compared with: rows with a value, mean, deviation and skewness, each ... x strata."""

    rows: Floats
    mean: Floats
    sd: Floats
    skewness: Floats


@dataclass(frozen=True)
class Shift:
    """The window with the strongest evidence of a drift.

    Attributes:
        strength: test statistic over its limit; an alarm is due from 1.
        size: mean difference from the baseline, in its standard deviations, with a sign.
    """

    strength: Floats
    size: Floats


def shift(rows: Floats, mean: Floats, baseline: Baseline, chance: float) -> Shift:
    """Test the windows that end on the last day.

    Args:
        rows: rows with a value, ... x days x strata.
        mean: their means.
        baseline: baseline of each stratum; a stratum without deviation is left out.
        chance: probability of a false alarm in a month.
    """
    days = rows.shape[-2]
    strength, size = np.zeros(rows.shape[:-2]), np.zeros(rows.shape[:-2])
    for length in WINDOWS:
        weights = np.arange(1, length + 1, dtype=np.float64)[-days:]
        recent = slice(days - len(weights), days)
        score, found = _score(rows[..., recent, :], mean[..., recent, :], baseline, chance, weights)
        better = score > strength
        strength, size = np.where(better, score, strength), np.where(better, found, size)
    return Shift(strength, size)


def onset(rows: Floats, mean: Floats, baseline: Baseline) -> int:
    """Return the day, counted from 0, from which on a step of the mean explains the days of one check best."""
    days = len(rows)
    with_rows = np.flatnonzero(rows.sum(axis=-1))
    scores = [_score(rows[day:], mean[day:], baseline, 0.05, np.ones(days - day))[0] for day in with_rows]
    return int(with_rows[np.argmax(scores)])


def _score(rows: Floats, mean: Floats, base: Baseline, chance: float, weights: Floats) -> tuple[Floats, Floats]:
    """Return the statistic over its limit, and the size of the shift."""
    usable = (base.rows > 0) & (base.sd > 0)
    sd = np.where(usable, base.sd, 1.0)
    weighted = weights[:, None] * rows * usable[..., None, :]
    total = (weighted * (mean - base.mean[..., None, :])).sum(axis=(-2, -1))
    noise = (weights[:, None] * weighted * (sd**2)[..., None, :]).sum(axis=(-2, -1))
    error = (weighted.sum(axis=-2) ** 2 * sd**2 / np.where(usable, base.rows, 1.0)).sum(axis=-1)
    cubes = (weights[:, None] ** 2 * weighted * (base.skewness * sd**3)[..., None, :]).sum(axis=(-2, -1))
    scale = np.sqrt(np.where(noise > 0, noise, 1.0))
    score = normal_equivalent(total / scale, cubes / scale**3)
    limit = special.ndtri(chance / LOOKS / 2) ** 2 + special.ndtri(chance / BASELINE_LOOKS / 2) ** 2 * error / scale**2
    spread = (weighted * sd[..., None, :]).sum(axis=(-2, -1))
    return np.abs(score) / np.sqrt(limit), total / np.where(spread > 0, spread, 1.0)


def normal_equivalent(score: Floats, skewness: Floats) -> Floats:
    """Return the standard normal score with the same tail as a standardised sum of this ``skewness``.

    The sum is taken as Pearson type III, a shifted gamma distribution, and transformed by the cube root (E. Wilson, M.
    Hilferty, The distribution of chi-square, PNAS 17, 1931). Without it, rare events would alarm too often.
    """
    small = np.abs(skewness) < 1e-3
    used = np.where(small, 1e-3, skewness)
    root = np.cbrt(np.maximum(used * score / 2 + 1, 1e-9))
    return np.where(small, score, 6 / used * (root - 1) + used / 6)
