"""What a day is compared with: the training rows, and the first healthy days on which a version served.

The training rows are a sample, whose means have an error of their own; the first healthy days make it smaller. Later
days aren't learnt from, so that a drift never becomes the baseline by being slow. In a season that the spec declares,
such as the weekend, the training rows serve only until there is a healthy day of that season.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from include.core.ml.drift import sequential
from include.core.ml.drift.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from include.core.ml.drift.summary import Features

    Season = Callable[[dt.date], str]

LEARNT_DAYS, LEARNT_DAYS_OF_A_SEASON = 42, 4
DELAY = max(sequential.WINDOWS)
"""Days after which a day is learnt from: none that is in a window of today."""


@dataclass(frozen=True)
class Days:
    """Summaries of the days on which a version served, in order: days x (all, then each segment) x features.

    ``healthy``: whether a day has no alarm, other than acknowledged ones.
    """

    dates: tuple[dt.date, ...]
    rows: NDArray[np.float64]
    mean: NDArray[np.float64]
    sd: NDArray[np.float64]
    healthy: NDArray[np.bool_]


def learnt(dates: tuple[dt.date, ...], healthy: NDArray[np.bool_], season: Season | None) -> dict[str, list[int]]:
    """Return the positions of the days that are learnt from on the last of ``dates``, by season."""
    today = dates[-1]
    candidates = [index for index, date in enumerate(dates[:-1]) if healthy[index]]
    if season is None:
        old = [index for index in candidates if (today - dates[index]).days >= DELAY]
        return {"": old[:LEARNT_DAYS]}
    names = [season(date) for date in dates]
    return {
        name: [index for index in candidates if names[index] == name][:LEARNT_DAYS_OF_A_SEASON]
        for name in sorted(set(names))
    }


def baselines(features: Features, training: Summary, days: Days, season: Season | None) -> dict[str, Summary]:
    """Return the baseline of each season; ``""`` is the only one if the spec declares none."""
    by_season = learnt(days.dates, days.healthy, season)
    return {
        name: _rates(features, _pooled(days, chosen, training, with_training=season is None or not chosen))
        for name, chosen in by_season.items()
    }


def _pooled(days: Days, chosen: list[int], training: Summary, *, with_training: bool) -> Summary:
    """Pool days and training rows; the skewness, which takes many rows to estimate, is that of the training."""
    own = slice(None) if with_training else slice(1, None)
    rows = np.concatenate([training.rows[None], days.rows[chosen]])[own]
    mean = np.concatenate([training.mean[None], days.mean[chosen]])[own]
    sd = np.concatenate([training.sd[None], days.sd[chosen]])[own]
    total = rows.sum(axis=0)
    divisor = np.where(total > 0, total, 1.0)
    centre = (rows * mean).sum(axis=0) / divisor
    variance = (rows * (sd**2 + (mean - centre) ** 2)).sum(axis=0) / divisor
    return Summary(total, centre, np.sqrt(variance), training.skewness)


def _rates(features: Features, pooled: Summary) -> Summary:
    """Replace the moments of rates by those of Jeffreys' estimate, since an event may not have occurred yet."""
    rates = np.s_[:, features.numbers :]
    rows, mean, sd, skewness = pooled.rows, pooled.mean.copy(), pooled.sd.copy(), pooled.skewness.copy()
    share = (rows[rates] * mean[rates] + 0.5) / (rows[rates] + 1)
    mean[rates], sd[rates] = share, np.sqrt(share * (1 - share))
    skewness[rates] = (1 - 2 * share) / sd[rates]
    return Summary(rows, mean, sd, skewness)
