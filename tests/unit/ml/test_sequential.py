"""The sequential test: its false alarms and delay, simulated, and what it leaves out."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from scipy import stats

from include.core.ml.drift.baseline import DELAY, LEARNT_DAYS, learnt
from include.core.ml.drift.sequential import Baseline, normal_equivalent, onset, shift

ROWS, DAYS = 320.0, 16


def standard(rows: float = 1e9, strata: int = 1) -> Baseline:
    """A baseline of standard normal values."""
    return Baseline(np.full(strata, rows), np.zeros(strata), np.ones(strata), np.zeros(strata))


def means(generator: np.random.Generator, months: int, days: int) -> np.ndarray:
    return generator.normal(0, 1 / np.sqrt(ROWS), (months, days, 1))


@pytest.mark.parametrize("baseline", [1e9, 891, 5_000])
def test_a_month_has_at_most_the_false_alarms_that_are_allowed(baseline: float) -> None:
    """Of 3,000 months, 5 % have an alarm, at most; more would be unlikely (p = 0.001) from 187 on."""
    generator, months, chance = np.random.default_rng(1), 3_000, 0.05
    observed = means(generator, months, DAYS - 1 + 30) + generator.normal(0, baseline**-0.5, (months, 1, 1))
    alarms = np.zeros(months, dtype=bool)
    for day in range(DAYS, observed.shape[1] + 1):
        window = observed[:, day - DAYS : day]
        alarms |= shift(np.full(window.shape, ROWS), window, standard(baseline), chance).strength >= 1
    assert 0.01 * months < alarms.sum() < stats.binom.isf(1e-3, months, chance)


def test_a_creep_of_a_fiftieth_of_a_deviation_a_day_is_found_within_a_week() -> None:
    generator, months, delays = np.random.default_rng(2), 200, np.full(200, 99)
    observed = means(generator, months, DAYS + 14)
    observed[:, DAYS:, 0] += 0.0234 * np.arange(1, 15)
    for day in range(1, 15):
        window = observed[:, day : day + DAYS]
        found = shift(np.full(window.shape, ROWS), window, standard(), 0.001).strength >= 1
        delays = np.where(found, np.minimum(delays, day), delays)
    assert np.median(delays) <= 7


def test_the_baselines_own_error_counts() -> None:
    rows, mean = np.full((DAYS, 1), 400.0), np.full((DAYS, 1), 0.1)
    certain, uncertain = (float(shift(rows, mean, standard(size), 0.01).strength) for size in (1e9, 400))
    assert certain > 1 > uncertain


def test_neither_the_mix_of_the_strata_nor_one_without_deviation_counts() -> None:
    base = Baseline(np.full(3, 1e6), np.array([0.0, 10.0, 5.0]), np.array([1.0, 1.0, 0.0]), np.zeros(3))
    rows, mean = np.full((DAYS, 3), 100.0), np.tile(base.mean, (DAYS, 1))
    rows[-4:, 1], mean[-4:, 2] = 900.0, 99.0
    assert float(shift(rows, mean, base, 0.01).strength) == 0.0
    mean[-4:, 1] += 0.5
    assert float(shift(rows, mean, base, 0.01).strength) > 1


@pytest.mark.parametrize(("expected", "events"), [(0.2, 3), (1, 6), (8, 20), (8, 25)])
def test_rare_events_have_the_tail_of_a_poisson_distribution(expected: float, events: int) -> None:
    score = normal_equivalent(np.array((events - expected) / expected**0.5), np.array(expected**-0.5))
    exact, normal = stats.poisson.sf(events - 1, expected), stats.norm.sf((events - expected) / expected**0.5)
    assert 0.3 < stats.norm.sf(score) / exact < 11
    assert normal < exact / 8, "what the correction is for"


def test_the_onset_is_the_first_day_of_a_step() -> None:
    generator = np.random.default_rng(3)
    rows, mean = np.full((DAYS, 1), 400.0), generator.normal(0, 0.05, (DAYS, 1))
    mean[10:] += 0.5
    assert onset(rows, mean, standard()) == 10
    rows[:12] = 0
    assert onset(rows, mean, standard()) == 12, "a day without rows isn't named"


START = dt.date(2024, 1, 1)  # a Monday


def weekend(day: dt.date) -> str:
    return "weekend" if day.weekday() >= 5 else "week"


def test_the_first_healthy_days_are_learnt_once_they_are_in_no_window() -> None:
    dates = tuple(START + dt.timedelta(index) for index in range(80))
    healthy = np.ones(80, dtype=bool)
    healthy[3] = False
    assert learnt(dates[:20], healthy[:20], None)[""] == [0, 1, 2]
    assert max(learnt(dates[:40], healthy[:40], None)[""]) == 39 - DELAY
    assert learnt(dates, healthy, None)[""] == [index for index in range(LEARNT_DAYS + 1) if index != 3]


def test_a_season_is_learnt_from_its_own_healthy_days() -> None:
    dates = tuple(START + dt.timedelta(index) for index in range(13))  # until the second Saturday
    healthy = np.ones(13, dtype=bool)
    healthy[5] = False
    assert learnt(dates, healthy, weekend) == {"week": [0, 1, 2, 3], "weekend": [6]}
