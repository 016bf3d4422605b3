"""Evaluates classifiers on the same folds, for paired comparison.

A single split proves nothing on a few hundred rows. Repeated stratified cross-validation does, and the corrected
resampled t-test accounts for folds that share training rows.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from joblib import Parallel, delayed
from scipy import stats
from sklearn.base import clone
from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score
from sklearn.model_selection import RepeatedStratifiedKFold
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

CALIBRATION_BINS = 10


@dataclass(frozen=True)
class Folds:
    """Repeated stratified k-fold splits; the same seed gives the same folds for the same labels."""

    splits: int = 10
    repeats: int = 10
    seed: int = 42

    def of(self, labels: NDArray[np.int64]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return train and test positions of each fold, repeat by repeat."""
        folds = RepeatedStratifiedKFold(n_splits=self.splits, n_repeats=self.repeats, random_state=self.seed)
        return list(folds.split(np.zeros(len(labels)), labels))


@dataclass(frozen=True)
class Scores:
    """Cross-validation scores of a binary classifier.

    Attributes:
        probabilities: out-of-fold probability of class 1, repeats x rows.
        accuracies: accuracy of each fold, repeats * splits.
    """

    probabilities: Floats
    accuracies: Floats

    @property
    def predictions(self) -> NDArray[np.int64]:
        """Out-of-fold classes, repeats x rows."""
        return (self.probabilities > 0.5).astype(np.int64)


def cross_validate(model: Any, rows: pd.DataFrame, labels: NDArray[np.int64], folds: Folds, jobs: int = -1) -> Scores:
    """Fit a clone of ``model`` on each fold's training rows and predict its test rows.

    ``jobs`` is the number of parallel processes, -1 for one per core. Threads don't work: a forest of scikit-learn
    changes the warning filters of all threads (``sklearn/utils/parallel.py``, 1.9).
    """
    splits = folds.of(labels)
    predicted = Parallel(n_jobs=jobs)(delayed(_fold)(model, rows, labels, train, test) for train, test in splits)
    probabilities = np.full((folds.repeats, len(labels)), np.nan)
    accuracies = np.empty(len(splits))
    for index, ((_, test), fold) in enumerate(zip(splits, predicted, strict=True)):
        probabilities[index // folds.splits, test] = fold
        accuracies[index] = np.mean((fold > 0.5) == labels[test])
    return Scores(probabilities, accuracies)


def _fold(
    model: Any, rows: pd.DataFrame, labels: NDArray[np.int64], train: NDArray[np.int64], test: NDArray[np.int64]
) -> Floats:
    with threadpool_limits(1):
        fitted = clone(model).fit(rows.iloc[train], labels[train])
        probabilities: Floats = fitted.predict_proba(rows.iloc[test])[:, 1]
    return probabilities


@dataclass(frozen=True)
class Metrics:
    """Means over the repeats; ``accuracy_sd`` is the standard deviation over the folds.

    ``brier`` is the mean squared error of the probability; ``calibration_error`` the mean gap between probability and
    observed share in ten equal-width bins, weighted by their rows (expected calibration error; Naeini et al. 2015).
    """

    accuracy: float
    accuracy_sd: float
    precision: float
    recall: float
    f1: float
    auc: float
    brier: float
    calibration_error: float

    def to_dict(self) -> dict[str, float]:
        """Return the metrics by name."""
        return asdict(self)


def metrics(scores: Scores, labels: NDArray[np.int64]) -> Metrics:
    """Return the metrics of a cross-validation."""
    by_repeat = [
        (
            precision_score(labels, predicted, zero_division=0),
            recall_score(labels, predicted, zero_division=0),
            f1_score(labels, predicted, zero_division=0),
            roc_auc_score(labels, probabilities),
            float(np.mean((probabilities - labels) ** 2)),
            _calibration_error(probabilities, labels),
        )
        for predicted, probabilities in zip(scores.predictions, scores.probabilities, strict=True)
    ]
    precision, recall, f1, auc, brier, error = (float(value) for value in np.mean(by_repeat, axis=0))
    return Metrics(
        accuracy=float(scores.accuracies.mean()),
        accuracy_sd=float(scores.accuracies.std(ddof=1)),
        precision=precision,
        recall=recall,
        f1=f1,
        auc=auc,
        brier=brier,
        calibration_error=error,
    )


def calibration_curve(scores: Scores, labels: NDArray[np.int64]) -> list[tuple[float, float, int]]:
    """Return mean probability, observed share and row count of each non-empty bin, over all repeats."""
    probabilities = scores.probabilities.ravel()
    observed = np.tile(labels, len(scores.probabilities))
    return [
        (float(probabilities[rows].mean()), float(observed[rows].mean()), int(rows.sum()))
        for rows in _bins(probabilities)
    ]


def _calibration_error(probabilities: Floats, labels: NDArray[np.int64]) -> float:
    return sum(
        float(rows.mean()) * abs(float(probabilities[rows].mean()) - float(labels[rows].mean()))
        for rows in _bins(probabilities)
    )


def _bins(probabilities: Floats) -> list[NDArray[np.bool_]]:
    bins = np.minimum((probabilities * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
    return [bins == number for number in range(CALIBRATION_BINS) if (bins == number).any()]


@dataclass(frozen=True)
class Segment:
    """Results of a model on one segment of the rows; rates are means over rows and repeats."""

    name: str
    rows: int
    accuracy: float
    predicted: float
    observed: float


def by_segment(predictions: NDArray[np.int64], labels: NDArray[np.int64], names: pd.Series[str]) -> list[Segment]:
    """Return each segment's accuracy, predicted and observed rate; ``predictions`` is repeats x rows."""
    segments = []
    for name in sorted(names.unique()):
        rows = names.eq(name).to_numpy()
        selected = predictions[:, rows]
        segments.append(
            Segment(
                str(name),
                int(rows.sum()),
                float((selected == labels[rows]).mean()),
                float(selected.mean()),
                float(labels[rows].mean()),
            )
        )
    return segments


@dataclass(frozen=True)
class Comparison:
    """Mean difference of accuracy (this minus other), with the two-sided p-value."""

    difference: float
    p_value: float


def compare(accuracies: Floats, others: Floats, test_share: float) -> Comparison:
    """Compare two models on the same folds by the corrected resampled t-test.

    The variance of the mean difference of J folds is (1/J + n_test/n_train) times that of the differences, since the
    folds share training rows: C. Nadeau, Y. Bengio, Inference for the generalization error, Machine Learning 52, 2003.

    Args:
        accuracies: accuracy of each fold.
        others: accuracy of each fold of the other model.
        test_share: n_test / n_train.
    """
    differences = accuracies - others
    mean, variance = float(differences.mean()), float(differences.var(ddof=1))
    if variance == 0:
        return Comparison(mean, 1.0 if mean == 0 else 0.0)
    folds = len(differences)
    statistic = mean / np.sqrt((1 / folds + test_share) * variance)
    return Comparison(mean, float(2 * stats.t.sf(abs(statistic), folds - 1)))
