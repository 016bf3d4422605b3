"""Evaluates classifiers on the same folds, for paired comparison.

A single split proves nothing on a few hundred rows. Repeated stratified cross-validation does: each row is judged by
models that haven't seen it or a copy of it, and the corrected resampled t-test accounts for folds that share training
rows.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from sklearn.metrics import f1_score, precision_score, recall_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

from include.core.ml.errors import SandboxError
from include.core.ml.sandbox import run
from include.core.ml.sandbox.jobs import fit_folds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from include.core.ml.sandbox.content import Content

    Floats = NDArray[np.float64]
    Integers = NDArray[np.int64]

CALIBRATION_BINS = 10
CLIP = 1e-6
ROUNDING, VARIANCE_OF_ROUNDING = 1e-9, 1e-20
MOST_PROCESSES = 8
FOLDS_EACH = 5  # a process takes two seconds to start


@dataclass(frozen=True)
class Folds:
    """Repeated stratified k-fold splits; the same seed gives the same folds for the same labels and groups."""

    splits: int = 10
    repeats: int = 10
    seed: int = 42

    @property
    def test_share(self) -> float:
        """Test rows over training rows of a fold."""
        return 1 / (self.splits - 1)

    def of(self, labels: Integers, groups: Integers) -> list[tuple[Integers, Integers]]:
        """Return train and test positions of each fold, repeat by repeat; rows of a group are on the same side."""
        grouped = len(np.unique(groups)) < len(groups)
        kind = StratifiedGroupKFold if grouped else StratifiedKFold
        folds = []
        for repeat in range(self.repeats):
            split = kind(self.splits, shuffle=True, random_state=self.seed + repeat)
            folds += list(split.split(np.zeros(len(labels)), labels, groups if grouped else None))
        return folds


@dataclass(frozen=True)
class Scores:
    """Cross-validation scores of a binary classifier.

    Attributes:
        probabilities: out-of-fold probability of class 1, repeats x rows.
        folds: test positions of each fold, repeat by repeat.
        labels: class of each row, 0 or 1.
    """

    probabilities: Floats
    folds: Sequence[Integers]
    labels: Integers

    @cached_property
    def predictions(self) -> Integers:
        """Out-of-fold classes, repeats x rows."""
        return (self.probabilities > 0.5).astype(np.int64)

    @cached_property
    def votes(self) -> Integers:
        """The class that most repeats predict for each row."""
        votes: Integers = (self.predictions.mean(axis=0) > 0.5).astype(np.int64)
        return votes

    @cached_property
    def accuracies(self) -> Floats:
        """Accuracy of each fold."""
        return self._by_fold(lambda probabilities, labels: float(np.mean((probabilities > 0.5) == labels)))

    @cached_property
    def briers(self) -> Floats:
        """Brier score of each fold: the mean squared error of the probability; lower is better."""
        return self._by_fold(lambda probabilities, labels: float(np.mean((probabilities - labels) ** 2)))

    @cached_property
    def log_losses(self) -> Floats:
        """Mean negative logarithm of the probability of the actual class of each fold; lower is better."""
        return self._by_fold(log_loss)

    @cached_property
    def aucs(self) -> Floats:
        """Area under the ROC curve of each fold."""
        return self._by_fold(auc)

    def _by_fold(self, score: Callable[[Floats, Integers], float]) -> Floats:
        splits = len(self.folds) // len(self.probabilities)
        return np.array(
            [
                score(self.probabilities[number // splits][test], self.labels[test])
                for number, test in enumerate(self.folds)
            ]
        )


def auc(probabilities: Floats, labels: Integers) -> float:
    """Return the area under the ROC curve: the share of pairs of a 1 and a 0 that are ranked rightly, ties half."""
    ones = int(labels.sum())
    ranks = float(stats.rankdata(probabilities)[labels == 1].sum())
    return (ranks - ones * (ones + 1) / 2) / (ones * (len(labels) - ones))


def log_loss(probabilities: Floats, labels: Integers) -> float:
    """Return the mean negative logarithm of the probability of the actual class; 0 and 1 count as 1e-6 beside them."""
    actual = np.where(labels == 1, probabilities, 1 - probabilities)
    return float(-np.log(np.clip(actual, CLIP, 1)).mean())


def cross_validate(
    models: Mapping[str, bytes],
    trusted: Sequence[str],
    rows: pd.DataFrame,
    labels: Integers,
    groups: Integers,
    folds: Folds,
) -> dict[str, Scores | SandboxError]:
    """Fit each model's recipe on each fold's training rows and predict its test rows, in sandboxed processes.

    Args:
        models: skops files by name; what they have learned isn't used.
        trusted: types that they may contain in addition to those that skops trusts.
        rows: what the models predict from.
        labels: 0 or 1.
        groups: equal for rows of which no copy may be in both the training and the test rows.
        folds: the splits that all models share.

    Returns:
        For each model its scores, or why it has none.
    """
    splits = folds.of(labels, groups)
    common: Content = {f"model {number}": content for number, content in enumerate(models.values())}
    common |= {"models": len(models), "trusted": list(trusted), "rows": rows, "labels": labels}
    predicted: Content = {}
    errors: dict[str, str] = {}
    try:
        parts = _side_by_side(common, splits)
    except SandboxError as error:  # one of them has ended the process
        if len(models) == 1:
            return dict.fromkeys(models, error)
        return {
            name: cross_validate({name: content}, trusted, rows, labels, groups, folds)[name]
            for name, content in models.items()
        }
    for part in parts:
        errors |= part.pop("errors")
        predicted |= part
    scores: dict[str, Scores | SandboxError] = {}
    for number, name in enumerate(models):
        if str(number) in errors:
            scores[name] = SandboxError(f"{name}: {errors[str(number)]}")
            continue
        probabilities = np.full((folds.repeats, len(labels)), np.nan)
        for fold, (_, test) in enumerate(splits):
            probabilities[fold // folds.splits, test] = predicted[f"{number} {fold}"]
        scores[name] = Scores(probabilities, [test for _, test in splits], labels)
    return scores


def _side_by_side(common: Content, splits: Sequence[tuple[Integers, Integers]]) -> list[Content]:
    """Run the folds in as many processes as there are cores."""
    processes = max(1, min(os.cpu_count() or 1, MOST_PROCESSES, len(splits) // FOLDS_EACH))
    contents = []
    for first in range(processes):
        numbers = list(range(first, len(splits), processes))
        contents.append(
            common
            | {"folds": numbers}
            | {f"train {number}": splits[number][0] for number in numbers}
            | {f"test {number}": splits[number][1] for number in numbers}
        )
    with ThreadPoolExecutor(processes) as pool:
        return list(pool.map(lambda content: run(fit_folds, content), contents))


@dataclass(frozen=True)
class Metrics:
    """Means over the repeats; ``accuracy_sd`` is the standard deviation over the folds.

    ``brier`` is the mean squared error of the probability, ``log_loss`` the mean negative logarithm of that of the
    actual class; ``calibration_error`` the mean gap between probability and
    observed share in ten equal-width bins, weighted by their rows (expected calibration error; Naeini et al. 2015).
    """

    accuracy: float
    accuracy_sd: float
    precision: float
    recall: float
    f1: float
    auc: float
    brier: float
    log_loss: float
    calibration_error: float

    def to_dict(self) -> dict[str, float]:
        """Return the metrics by name."""
        return asdict(self)


def metrics(scores: Scores) -> Metrics:
    """Return the metrics of a cross-validation."""
    labels = scores.labels
    by_repeat = [
        (
            precision_score(labels, predicted, zero_division=0),
            recall_score(labels, predicted, zero_division=0),
            f1_score(labels, predicted, zero_division=0),
            auc(probabilities, labels),
            float(np.mean((probabilities - labels) ** 2)),
            log_loss(probabilities, labels),
            calibration_error(probabilities, labels),
        )
        for predicted, probabilities in zip(scores.predictions, scores.probabilities, strict=True)
    ]
    precision, recall, f1, area, brier, loss, error = (float(value) for value in np.mean(by_repeat, axis=0))
    return Metrics(
        accuracy=float(scores.accuracies.mean()),
        accuracy_sd=float(scores.accuracies.std(ddof=1)),
        precision=precision,
        recall=recall,
        f1=f1,
        auc=area,
        brier=brier,
        log_loss=loss,
        calibration_error=error,
    )


def calibration_curve(scores: Scores) -> list[tuple[float, float, int]]:
    """Return mean probability, observed share and row count of each non-empty bin, over all repeats."""
    probabilities = scores.probabilities.ravel()
    observed = np.tile(scores.labels, len(scores.probabilities))
    bins = _bins(probabilities)
    return [
        (
            float(probabilities[bins == number].mean()),
            float(observed[bins == number].mean()),
            int((bins == number).sum()),
        )
        for number in np.unique(bins)
    ]


def calibration_error(probabilities: Floats, labels: Integers) -> float:
    """Return the expected calibration error of one probability for each row; see :class:`Metrics`."""
    bins = _bins(probabilities)
    gaps = np.bincount(bins, probabilities - labels, CALIBRATION_BINS)
    return float(np.abs(gaps).sum() / len(labels))


def _bins(probabilities: Floats) -> Integers:
    return np.clip(np.nan_to_num(probabilities) * CALIBRATION_BINS, 0, CALIBRATION_BINS - 1).astype(np.int64)


@dataclass(frozen=True)
class Segment:
    """Results of a model on one segment of the rows; rates are means over rows and repeats."""

    name: str
    rows: int
    accuracy: float
    predicted: float
    observed: float


def by_segment(predictions: Integers, labels: Integers, names: pd.Series[str]) -> list[Segment]:
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
    """Mean difference of a score (this minus other), with the one-sided p-values for lower and for higher."""

    difference: float
    lower: float
    higher: float

    @property
    def p_value(self) -> float:
        """The two-sided p-value."""
        return min(1.0, 2 * min(self.lower, self.higher))


def compare(values: Floats, others: Floats, test_share: float) -> Comparison:
    """Compare two models' scores on the same folds by the corrected resampled t-test.

    The variance of the mean difference of J folds is (1/J + n_test/n_train) times that of the differences, since the
    folds share training rows: C. Nadeau, Y. Bengio, Inference for the generalization error, Machine Learning 52, 2003.

    Args:
        values: score of each fold.
        others: score of each fold of the other model.
        test_share: n_test / n_train.
    """
    differences = values - others
    mean, variance = float(differences.mean()), float(differences.var(ddof=1))
    if variance <= VARIANCE_OF_ROUNDING:
        return Comparison(mean, float(mean >= -ROUNDING), float(mean <= ROUNDING))
    folds = len(differences)
    statistic = mean / np.sqrt((1 / folds + test_share) * variance)
    return Comparison(mean, float(stats.t.cdf(statistic, folds - 1)), float(stats.t.sf(statistic, folds - 1)))
