"""Judges a profile by earlier ones: a pure function, so that its error rates can be measured (docs/history.md).

Each statistic is compared with its own history on a scale on which it varies evenly: shares as log odds, positive
numbers as logarithms. The deviation from the median is divided by a robust standard deviation, which is never smaller
than what the number of rows and the resolution of the values explain. Where the history has enough loads of the same
weekday, the median is theirs. With little history, larger deviations are accepted.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from operator import itemgetter
from statistics import median
from typing import TYPE_CHECKING

from include.core.warehouse.anomalies.profile import HOURS, QUANTILES, TABLE, Profile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from include.core.warehouse.history_settings import History

FEWEST = 8
"""Comparable loads without which there is no verdict."""
SAME_VALUES = 14
"""Loads in which a column must have had the same values, so that a missing one is an anomaly however rare it is."""
FEW_LOADS = 8.0  # with n loads, a deviation of (1 + 8 / n) times the limit is accepted
SMALLEST = 0.05  # standard deviation on a logarithmic scale, and in parts of the usual spread on a linear one
SMALLEST_SHARE = 0.03
SMALLEST_LOG_ODDS = 0.5
SMALLEST_SHARE_CHANGE = 0.02  # without effect
COMMON = 0.5  # share of the rows above which a value may be too common
NORMAL_MAD, NORMAL_TAILS = 1.4826, 3.29  # of a normal distribution in standard deviations
SHARES = {"null": 0, "repeated": 1, "new": 1, "known": -1, "unchanged": 1}
"""Statistics that are shares, and whether only a rise (1) or only a fall (-1) is an anomaly."""
BY_KEY = {"known", "unchanged", "change", "large change"}
LINEAR = {"change", "large change", *HOURS}
"""Compared on a linear scale although they may be positive."""
WORDS = {
    "null": "share of NULL",
    "repeated": "share of rows that repeat another one apart from the key",
    "new": "share of keys that the nearest partitions lack",
    "known": "share of rows whose value the nearest partitions have for the same key",
    "unchanged": "share of keys with exactly the previous value",
    "change": "median change for the same key",
    "large change": "95th percentile of the changes for the same key",
    "distinct": "distinct values",
    "length": "mean length of the text",
}


@dataclass(frozen=True)
class Finding:
    """A statistic that is out of bounds.

    Attributes:
        column: the column; empty for the rows as a whole.
        statistic: what was compared, in words.
        value: in the new load.
        usual: median of the history.
        lowest: smallest value of the history.
        highest: largest value of the history.
        deviation: of ``value`` from ``usual``, in units of the largest accepted one.
        is_share: whether the numbers are shares, 0 to 1.
    """

    column: str
    statistic: str
    value: float
    usual: float
    lowest: float
    highest: float
    deviation: float
    is_share: bool = False

    def __str__(self) -> str:
        shown = _percent if self.is_share else _number
        return (
            f"{self.column or 'rows'}: {self.statistic} is {shown(self.value)}; usually {shown(self.usual)}, from"
            f" {shown(self.lowest)} to {shown(self.highest)}; {self.deviation:.1f} times the accepted deviation"
        )


def judge(new: Profile, history: Sequence[Profile], settings: History, *, complete: bool = True) -> list[Finding]:
    """Return what is out of bounds: the largest deviation of each column first, then the second largest, and so on.

    Args:
        new: profile of the load.
        history: profiles of comparable loads; fewer than :data:`FEWEST` give no findings.
        settings: of the dataset.
        complete: of an incomplete load, only values are compared that have the same key.
    """
    if len(history) < FEWEST or (not new.rows and not complete):
        return []
    findings = [finding for name in new.statistics for finding in _column(name, new, history, settings, complete)]
    if complete:
        findings += _rows(new, history, settings)
        for column in {name for profile in history for name in profile.shares}:
            findings += _values(column, new, history, settings)
    findings.sort(key=lambda finding: (-finding.deviation, finding.column, finding.statistic))
    seen: Counter[str] = Counter()
    ranks = []
    for finding in findings:
        ranks.append(seen[finding.column])
        seen[finding.column] += 1
    return [finding for _, finding in sorted(zip(ranks, findings, strict=True), key=itemgetter(0))]


def _rows(new: Profile, history: Sequence[Profile], settings: History) -> Iterator[Finding]:
    counts = [float(old.rows) for old in history]
    if not new.rows and all(counts):
        yield Finding(TABLE, "number", 0, median(counts), min(counts), max(counts), math.inf)
    else:
        yield from _compare(TABLE, "number", new.rows, history, counts, new, settings)


def _column(
    column: str, new: Profile, history: Sequence[Profile], settings: History, complete: bool
) -> Iterator[Finding]:
    for name, value in new.statistics[column].items():
        if complete or name in BY_KEY:
            known = [old for old in history if name in old.statistics.get(column, {})]
            values = [old.statistics[column][name] for old in known]
            yield from _compare(column, name, value, known, values, new, settings)


def _compare(
    column: str,
    name: str,
    value: float,
    known: Sequence[Profile],
    values: Sequence[float],
    new: Profile,
    settings: History,
) -> Iterator[Finding]:
    """Yield a finding if ``value`` is out of the bounds of ``values``, which belong to the profiles ``known``."""
    if len(known) < FEWEST:
        return
    direction = SHARES.get(name, 0)
    if name in SHARES:
        score = _share_score(value, values, known, new) if abs(value - median(values)) > SMALLEST_SHARE_CHANGE else 0.0
    elif name not in LINEAR and min(*values, value) > 0:
        smallest = math.hypot(SMALLEST, _resolution(column, name, median(values), [new, *known]))
        score = _score(math.log(value), [math.log(number) for number in values], known, new, smallest)
    else:
        score = _score(value, values, known, new, SMALLEST * _spread(column, known) or 1.0)
    deviation = (direction * score if direction else abs(score)) / _limit(len(known), settings)
    if deviation > 1:
        bounds = median(values), min(values), max(values)
        yield Finding(column, WORDS.get(name, name), value, *bounds, deviation, is_share=name in SHARES)


def _values(column: str, new: Profile, history: Sequence[Profile], settings: History) -> Iterator[Finding]:
    """Yield a finding for each text that is missing or much rarer than usual, or much more common than the others."""
    known = [old for old in history if column in old.shares]
    now = new.shares.get(column)
    if len(known) < FEWEST or now is None:  # of a column with many values, no shares are kept
        return
    sets = [old.shares[column].keys() for old in known]
    is_fixed = len(known) >= SAME_VALUES and all(values == sets[0] for values in sets)
    for value in sorted(set().union(*sets)):
        share, shares = now.get(value, 0.0), [old.shares[column].get(value, 0.0) for old in known]
        score = _share_score(share, shares, known, new)
        deviation = (abs(score) if median(shares) > COMMON else -score) / _limit(len(known), settings)
        if is_fixed and value not in now:
            deviation = max(deviation, math.nextafter(1, 2))
        if deviation > 1:
            bounds = median(shares), min(shares), max(shares)
            yield Finding(column, f"share of rows with {value!r}", share, *bounds, deviation, is_share=True)


def _share_score(value: float, values: Sequence[float], known: Sequence[Profile], new: Profile) -> float:
    """Return the larger of the deviations of a share itself, and of its log odds, which show small shares better."""
    smallest = math.hypot(SMALLEST_SHARE, 0.5 / math.sqrt(max(1, new.rows)))
    odds = [_log_odds(share, old.rows) for share, old in zip(values, known, strict=True)]
    return max(
        _score(value, values, known, new, smallest),
        _score(_log_odds(value, new.rows), odds, known, new, SMALLEST_LOG_ODDS),
        key=abs,
    )


def _score(value: float, values: Sequence[float], known: Sequence[Profile], new: Profile, smallest: float) -> float:
    """Return the deviation of ``value`` from the median of ``values`` in robust standard deviations.

    Where there are enough loads of a weekday, the median is that of its own. The deviation is the larger one of those
    that the median absolute deviation and the outer twentieths suggest, because a history with two kinds of days has a
    small median deviation, and never smaller than ``smallest``.
    """
    centers = _weekday_centers(values, known)
    overall = median(values)
    residuals = sorted(number - centers.get(_weekday(old), overall) for number, old in zip(values, known, strict=True))
    middle, tail = median(residuals), len(residuals) // 20
    mad = median(abs(residual - middle) for residual in residuals)
    tails = residuals[-1 - tail] - residuals[tail]
    deviation = max(NORMAL_MAD * mad, tails / NORMAL_TAILS)
    return (value - centers.get(_weekday(new), overall)) / math.hypot(deviation, smallest)


def _weekday_centers(values: Sequence[float], profiles: Sequence[Profile]) -> dict[int | None, float]:
    """Return the median of each weekday that has enough loads."""
    groups: dict[int | None, list[float]] = {}
    for value, profile in zip(values, profiles, strict=True):
        groups.setdefault(_weekday(profile), []).append(value)
    return {day: median(group) for day, group in groups.items() if day is not None and len(group) >= FEWEST}


def _weekday(profile: Profile) -> int | None:
    return None if profile.day is None else profile.day.weekday()


def _limit(loads: int, settings: History) -> float:
    return settings.limit * (1 + FEW_LOADS / loads)


def _spread(column: str, profiles: Sequence[Profile]) -> float:
    """Return the usual distance of the 5th and the 95th percentile of a number or a time; 0 for other columns."""
    low, high = (("p05", "p95"), ("p05 hour", "p95 hour"))[
        all("p05 hour" in old.statistics.get(column, {}) for old in profiles)
    ]
    return median(
        old.statistics.get(column, {}).get(high, 0.0) - old.statistics.get(column, {}).get(low, 0.0) for old in profiles
    )


def _resolution(column: str, name: str, value: float, profiles: Sequence[Profile]) -> float:
    """Return the standard deviation of a logarithm that comes with counting, or with small whole numbers."""
    if name in {"number", "distinct"}:
        return 0.25 / math.sqrt(value)
    ends = [profile.statistics[column].get(end, 0.5) for profile in profiles for end in ("minimum", "maximum")]
    return 0.5 / max(value, 1.0) if name in QUANTILES and all(end.is_integer() for end in ends) else 0.0


def _log_odds(share: float, rows: int) -> float:
    return math.log((share * rows + 0.5) / ((1 - share) * rows + 0.5))


def _percent(value: float) -> str:
    return f"{value:.1%}"


def _number(value: float) -> str:
    return f"{value:,.6g}"
