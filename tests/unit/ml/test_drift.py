"""PSI, tests and alarms, against values computed by hand or by scipy."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from devstack.state import REPOSITORY
from include.core.ml.drift.checks import Limits, check
from include.core.ml.drift.statistics import categorical_shift, holm, numeric_shift, psi, rate_shift
from include.domains.titanic.features import segment
from include.domains.titanic.passengers import COLUMNS, read
from include.domains.titanic.spec import TITANIC

GENERATOR = np.random.default_rng(5)


def test_psi_of_two_known_shares() -> None:
    value = psi(np.array([50_000.0, 50_000.0]), np.array([80_000.0, 20_000.0]))
    assert value == pytest.approx(0.3 * np.log(1.6) - 0.3 * np.log(0.4) - 2e-5)
    assert psi(np.array([30.0, 70.0]), np.array([30.0, 70.0])) == 0.0
    assert np.isfinite(psi(np.array([100.0, 0.0]), np.array([0.0, 100.0])))


def test_psi_of_equal_populations_is_near_zero_however_small_the_samples() -> None:
    values = [
        psi(*(np.bincount(GENERATOR.integers(5, size=size), minlength=5).astype(float) for size in (200, 30)))
        for _ in range(300)
    ]
    assert np.mean(values) < 0.08  # about 0.15 without the correction for chance


def test_numbers_are_compared_by_kolmogorov_and_smirnov() -> None:
    old, new = pd.Series(GENERATOR.normal(size=300)), pd.Series(GENERATOR.normal(0.8, size=80))
    expected = stats.ks_2samp(old, new, method="asymp")
    shift = numeric_shift(old, pd.concat([new, pd.Series([np.nan])]))
    assert (shift.distance, shift.p_value) == (expected.statistic, expected.pvalue)
    assert shift.psi > 0.25
    assert numeric_shift(old, new.iloc[:0]).p_value == 1.0


def test_categories_are_compared_even_if_one_side_lacks_one() -> None:
    shift = categorical_shift(pd.Series(["a"] * 50 + ["b"] * 50), pd.Series(["a"] * 50 + ["c"] * 50))
    assert shift.distance == pytest.approx(0.5)
    assert shift.p_value < 1e-10
    assert categorical_shift(pd.Series(["a"] * 5), pd.Series(["a"] * 5)).p_value == 1.0


def test_rates_are_compared_by_fishers_exact_test() -> None:
    shift = rate_shift(pd.Series([True] * 10 + [False] * 90), pd.Series([True] * 15 + [False] * 15))
    assert shift.p_value == pytest.approx(stats.fisher_exact([[10, 90], [15, 15]]).pvalue)
    assert shift.distance == pytest.approx(0.4)


def test_holm_adjusts_step_by_step() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


PASSENGERS = read((REPOSITORY / "include/data/titanic/train.csv").read_bytes())[list(COLUMNS)]
PROBABILITIES = np.where(PASSENGERS["Sex"].eq("female"), 0.75, 0.2) + GENERATOR.normal(0, 0.1, len(PASSENGERS))


def alarms(day: pd.DataFrame, probabilities: np.ndarray) -> set[tuple[str, str]]:
    findings = check(TITANIC, PASSENGERS, PROBABILITIES, day, probabilities, Limits())
    return {(finding.segment, finding.feature) for finding in findings if finding.alarm}


def test_a_clean_day_raises_no_alarm() -> None:
    rows = GENERATOR.integers(len(PASSENGERS), size=400)
    assert alarms(PASSENGERS.iloc[rows], PROBABILITIES[rows]) == set()


def test_a_shift_in_one_segment_is_detected_there() -> None:
    rows = GENERATOR.integers(len(PASSENGERS), size=400)
    day, probabilities = PASSENGERS.iloc[rows].reset_index(drop=True), PROBABILITIES[rows]
    older = segment(day).eq("male-2")
    assert ("male-2", "Age") in alarms(day.assign(Age=day["Age"] + 20 * older), probabilities)
    assert ("male-2", "predicted to survive") in alarms(day, np.where(older, 1 - probabilities, probabilities))
    assert ("male-2", "missing Age") in alarms(day.assign(Age=day["Age"].where(~older)), probabilities)
    assert ("male-2", "out of range Fare") in alarms(day.assign(Fare=day["Fare"].where(~older, 5000.0)), probabilities)


def test_a_segment_with_few_rows_is_not_compared() -> None:
    day = PASSENGERS[segment(PASSENGERS).eq("female-1")].head(19)
    assert check(TITANIC, PASSENGERS, PROBABILITIES, day, PROBABILITIES[day.index], Limits()) == []


def test_a_finding_names_segment_feature_and_numbers() -> None:
    rows = segment(PASSENGERS).eq("male-2").to_numpy()
    findings = check(TITANIC, PASSENGERS, PROBABILITIES, PASSENGERS[rows], 1 - PROBABILITIES[rows], Limits())
    [text] = [str(finding) for finding in findings if (finding.segment, finding.feature) == ("male-2", "prediction")]
    assert text.startswith("segment male-2, prediction, mean 0.205 became 0.795: PSI ")
    assert text.endswith("108 rows")
