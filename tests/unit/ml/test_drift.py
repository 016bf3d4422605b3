"""Distances, answers, the estimate and the checks of a day, against values computed by hand or by scipy."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from devstack.state import REPOSITORY
from include.core.ml.drift.alarms import Acknowledgement, Alarm
from include.core.ml.drift.answers import impossible, repeated
from include.core.ml.drift.baseline import Days
from include.core.ml.drift.checks import Finding, Limits, check
from include.core.ml.drift.estimation import Estimator
from include.core.ml.drift.statistics import difference, holm, independent
from include.core.ml.drift.summary import Features
from include.domains.titanic.features import segment
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC

GENERATOR = np.random.default_rng(5)
TABLE = PASSENGER_LIST.read((REPOSITORY / "include/data/titanic/train.csv").read_bytes()).reset_index(drop=True)
PASSENGERS = TABLE[list(COLUMNS)]
PROBABILITIES = np.where(PASSENGERS["Sex"].eq("female"), 0.75, 0.2) + GENERATOR.normal(0, 0.1, len(PASSENGERS))
TODAY = dt.date(2024, 1, 1)


def test_distributions_are_compared_by_wasserstein_and_by_kolmogorov_and_smirnov() -> None:
    old, new = GENERATOR.normal(3, 2, 300), GENERATOR.normal(4, 2, 80)
    result = difference(old, new, 0.0)
    assert result.distance == pytest.approx(stats.wasserstein_distance(old, new) / old.std())
    statistic = stats.ks_2samp(old, new).statistic
    assert result.p_value == pytest.approx(stats.kstwobign.sf(statistic * np.sqrt(300 * 80 / 380)))
    assert difference(old, new, 1.0).p_value > 0.5 > result.p_value


def test_a_change_that_only_breaks_ties_is_small() -> None:
    fares = np.log1p(PASSENGERS["Fare"].to_numpy(float))
    dearer, doubled = (np.log1p(PASSENGERS["Fare"].to_numpy(float) * factor) for factor in (1.02, 2))
    assert stats.ks_2samp(fares, dearer).pvalue < 0.01, "what the tolerance is for"
    assert difference(fares, dearer, 0.1).p_value > 0.5
    assert difference(fares, dearer, 0.1).distance < 0.03
    assert difference(fares, doubled, 0.1).p_value < 1e-9


def test_holm_adjusts_step_by_step() -> None:
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_same_column_twice_is_one_test() -> None:
    columns = np.linalg.qr(GENERATOR.normal(size=(500, 4)) - 0.5)[0]
    columns -= columns.mean(axis=0)
    assert independent(columns) == pytest.approx(4, abs=1)
    assert independent(np.repeat(columns[:, :1], 4, axis=1)) == pytest.approx(1)
    assert independent(np.ones((5, 2))) == 1.0


@pytest.fixture(scope="module")
def features() -> Features:
    return Features.of(TITANIC, PASSENGERS)


def test_categories_are_compared_level_by_level_and_rare_ones_together(features: Features) -> None:
    assert {"Embarked=C", "Embarked=other", "missing Age", "out of range Fare", "prediction"} < set(features.names)
    assert "Deck=T" not in features.names
    assert {"Sex=female", "segment=female-3"} < set(features.names[-features.shares :])
    summary = features.summary(PASSENGERS, PROBABILITIES)
    row, column = 1 + features.segments.index("female-3"), features.names.index("Age")
    ages = PASSENGERS.loc[segment(PASSENGERS).eq("female-3"), "Age"].dropna()
    found = summary.rows[row, column], summary.mean[row, column], summary.sd[row, column], summary.skewness[row, column]
    assert found == pytest.approx((len(ages), ages.mean(), ages.std(ddof=0), stats.skew(ages)))


def findings(features: Features, day: pd.DataFrame, probabilities: np.ndarray) -> list[Finding]:
    training = features.summary(PASSENGERS, PROBABILITIES)
    today = features.summary(day, probabilities)
    days = Days((TODAY,), today.rows[None], today.mean[None], today.sd[None], np.ones(1, dtype=bool))
    old, new = (
        (features.values(rows, served), segment(rows).to_numpy(str))
        for rows, served in ((PASSENGERS, PROBABILITIES), (day, probabilities))
    )
    return check(features, training, days, old, new, Limits())


def alarms(features: Features, day: pd.DataFrame, probabilities: np.ndarray) -> set[tuple[str, str]]:
    return {(item.segment, item.feature) for item in findings(features, day, probabilities) if item.alarm}


def test_a_clean_day_raises_no_alarm(features: Features) -> None:
    rows = GENERATOR.integers(len(PASSENGERS), size=400)
    assert alarms(features, PASSENGERS.iloc[rows].reset_index(drop=True), PROBABILITIES[rows]) == set()


def test_a_shift_in_one_segment_is_detected_there(features: Features) -> None:
    rows = GENERATOR.integers(len(PASSENGERS), size=400)
    day, probabilities = PASSENGERS.iloc[rows].reset_index(drop=True), PROBABILITIES[rows]
    older = segment(day).eq("male-2")
    assert ("male-2", "Age") in alarms(features, day.assign(Age=day["Age"] + 20 * older), probabilities)
    assert ("male-2", "prediction") in alarms(features, day, np.where(older, 1 - probabilities, probabilities))
    assert ("male-2", "missing Age") in alarms(features, day.assign(Age=day["Age"].where(~older)), probabilities)
    dear = day.assign(Fare=day["Fare"].where(~older, 5000.0))
    assert ("male-2", "out of range Fare") in alarms(features, dear, probabilities)


def test_another_mix_of_the_segments_is_found_as_that_only(features: Features) -> None:
    weights = np.where(segment(PASSENGERS).eq("female-3"), 2.5, 1.0)
    rows = np.random.default_rng(8).choice(len(PASSENGERS), 400, p=weights / weights.sum())
    found = alarms(features, PASSENGERS.iloc[rows].reset_index(drop=True), PROBABILITIES[rows])
    assert ("all", "segment=female-3") in found
    assert {feature.partition("=")[0] for _, feature in found} <= {"segment", "Sex", "Pclass"}


def test_a_finding_says_since_when_and_how_much(features: Features) -> None:
    rows = segment(PASSENGERS).eq("male-2").to_numpy()
    found = findings(features, PASSENGERS[rows].reset_index(drop=True), 1 - PROBABILITIES[rows])
    [item] = [item for item in found if (item.segment, item.feature) == ("male-2", "prediction")]
    assert item.alarm
    assert (item.since, item.rows) == (TODAY, 108)
    sd = PROBABILITIES[rows].std()
    assert item.shift == pytest.approx((1 - 2 * PROBABILITIES[rows].mean()) / sd)


def test_impossible_answers_are_told_from_possible_ones() -> None:
    answers = np.array([0.0, 1.0, np.nan, np.inf, -0.1, 1.1, 0.5])
    assert impossible(answers).tolist() == [False, False, True, True, True, True, False]


def test_a_row_is_repeated_only_if_the_training_does_not_explain_it() -> None:
    day = PASSENGERS.sample(400, replace=True, random_state=1).reset_index(drop=True)
    assert list(repeated(PASSENGERS, day)) == []
    loud = pd.concat([day, day.iloc[[7] * 40]], ignore_index=True)
    [positions] = repeated(PASSENGERS, loud)
    assert {7, *range(400, 440)} <= set(positions)
    few = PASSENGERS[["Sex", "Pclass"]]
    assert list(repeated(few, few.sample(400, replace=True, random_state=1))) == [], "six different rows"


def test_the_estimate_corrects_probabilities_that_are_not_calibrated() -> None:
    generator = np.random.default_rng(4)
    actual = generator.random(4000)
    labels = (generator.random(4000) < actual).astype(np.int64)
    squeezed = 0.5 + (actual - 0.5) / 10
    segments = pd.Series(["a", "b"] * 2000)
    estimator = Estimator(squeezed[None], labels, segments)
    sure = actual > 0.8
    confidence = estimator.confidence(squeezed[sure], segments[sure])
    assert confidence.mean() == pytest.approx(labels[sure].mean(), abs=0.03)
    assert squeezed[sure].mean() < 0.55, "without calibration"
    assert len(estimator.confidence(np.empty(0), segments[:0])) == 0


def test_the_estimate_follows_the_segments() -> None:
    labels = TABLE[LABEL].to_numpy(np.int64)
    names = segment(PASSENGERS)
    estimator = Estimator(PROBABILITIES[None], labels, names)
    for name in ("female-1", "female-3", "male-3"):
        rows = names.eq(name).to_numpy()
        right = ((PROBABILITIES > 0.5) == labels)[rows].mean()
        assert estimator.confidence(PROBABILITIES[rows], names[rows]).mean() == pytest.approx(right, abs=0.05)


@pytest.mark.parametrize(
    ("size", "covered"), [(0.3, True), (0.2, True), (0.44, True), (0.46, False), (-0.3, False), (-0.01, False)]
)
def test_an_alarm_that_grows_or_turns_is_no_longer_the_acknowledged_one(size: float, covered: bool) -> None:
    alarm = Alarm(day=TODAY, kind="drift", version=1, segment="all", feature="Age", size=size, text="older")
    assert Acknowledgement(key="drift/1/all/Age", size=0.3, reason="tour").covers(alarm.key, alarm.size) == covered
    assert not Acknowledgement(key="drift/2/all/Age", size=0.3, reason="tour").covers(alarm.key, alarm.size)
    assert str(alarm).startswith("version 1: older; look at who sends these rows")
