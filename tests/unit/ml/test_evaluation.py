"""Metrics and comparisons, against values computed in another way."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression

from include.core.ml import skops_io
from include.core.ml.evaluation import Folds, Scores, auc, by_segment, compare, cross_validate, metrics

GENERATOR = np.random.default_rng(7)
ROWS = pd.DataFrame({"x": GENERATOR.normal(size=200)})
GROUPS = np.arange(200)
LABELS = (ROWS["x"] + GENERATOR.normal(size=200) > 0).to_numpy().astype(np.int64)


def scores_of(model: Any, folds: Folds, groups: NDArray[np.int64] = GROUPS) -> Scores:
    scores = cross_validate({"model": skops_io.dumps(model)}, [], ROWS, LABELS, groups, folds)["model"]
    assert isinstance(scores, Scores)
    return scores


def test_every_row_is_predicted_out_of_fold_once_per_repeat() -> None:
    scores = scores_of(LogisticRegression(), Folds(5, 2))
    assert scores.probabilities.shape == (2, 200)
    assert not np.isnan(scores.probabilities).any()
    assert len(scores.accuracies) == 10
    share_right = (scores.predictions == LABELS).mean(axis=1)
    assert scores.accuracies.reshape(2, 5).mean(axis=1) == pytest.approx(share_right)


def test_the_same_seed_gives_the_same_folds() -> None:
    first, second = (Folds(5, 1, seed=3).of(LABELS, GROUPS) for _ in range(2))
    assert all(np.array_equal(a[1], b[1]) for a, b in zip(first, second, strict=True))


def test_copies_are_on_the_same_side_of_every_fold() -> None:
    groups = GROUPS // 4
    for train, test in Folds(5, 2).of(LABELS, groups):
        assert not set(groups[train]) & set(groups[test])


def test_the_area_under_the_curve_counts_pairs() -> None:
    probabilities, labels = np.array([0.9, 0.5, 0.5, 0.1]), np.array([1, 1, 0, 0])
    assert auc(probabilities, labels) == pytest.approx((1 + 1 + 0.5 + 1) / 4)


def test_metrics_of_known_predictions() -> None:
    labels = np.array([1, 1, 1, 0, 0])
    scores = Scores(np.array([[0.9, 0.8, 0.2, 0.4, 0.6]]), [np.array([0, 2, 3]), np.array([1, 4])], labels)
    result = metrics(scores)
    assert (result.precision, result.recall, result.f1) == pytest.approx((2 / 3, 2 / 3, 2 / 3))
    assert result.brier == pytest.approx((0.01 + 0.04 + 0.64 + 0.16 + 0.36) / 5)
    assert result.auc == pytest.approx(4 / 6)


def test_segments_are_counted() -> None:
    names = pd.Series(["a", "a", "b"])
    a, b = by_segment(np.array([[1, 0, 1], [1, 1, 1]]), np.array([1, 1, 0]), names)
    assert (a.name, a.rows, a.accuracy, a.predicted, a.observed) == ("a", 2, 0.75, 0.75, 1.0)
    assert (b.name, b.rows, b.accuracy) == ("b", 1, 0.0)


def test_the_t_test_is_wider_than_one_for_independent_folds() -> None:
    differences = np.array([0.02, 0.03, -0.01, 0.04, 0.01, 0.02, 0.0, 0.03, 0.02, 0.01])
    comparison = compare(0.8 + differences, np.full(10, 0.8), test_share=1 / 9)
    naive = stats.ttest_1samp(differences, 0)
    widened = naive.statistic / np.sqrt(1 + 10 / 9)  # (1/J + n2/n1) over 1/J
    assert comparison.difference == pytest.approx(differences.mean())
    assert comparison.p_value == pytest.approx(2 * stats.t.sf(widened, 9))
    assert comparison.p_value > naive.pvalue


def test_equal_models_do_not_differ() -> None:
    same = scores_of(DummyClassifier(), Folds(5, 1))
    assert compare(same.accuracies, same.accuracies, 0.25).p_value == 1.0
