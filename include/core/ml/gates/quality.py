"""Rules about out-of-fold predictions of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from include.core.ml.evaluation import calibration_error, compare
from include.core.ml.gates.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from include.core.ml.evaluation import Scores
    from include.core.ml.spec import Thresholds

HARM = 0.01
"""Probability that an equally good candidate is refused by all metrics, or by all slices, of one opponent."""
LEAK = 1e-4
RESAMPLES = 200

METRICS = {  # name: attribute of Scores, whether higher is better
    "accuracy": ("accuracies", True),
    "Brier score": ("briers", False),
    "log loss": ("log_losses", False),
    "AUC": ("aucs", True),
}


def absolute(scores: Scores, thresholds: Thresholds) -> Iterator[Rule]:
    """Yield the rules that a candidate must pass without any opponent."""
    mean, folds = float(scores.accuracies.mean()), len(scores.accuracies)
    yield Rule(
        name="accuracy",
        passed=mean > thresholds.accuracy,
        details=f"mean accuracy {mean:.4f} over {folds} folds; must be above {thresholds.accuracy}",
    )
    brier, share = float(scores.briers.mean()), float(scores.labels.mean())
    yield Rule(
        name="Brier score",
        passed=brier < share * (1 - share),
        details=f"{brier:.4f}; must be below {share * (1 - share):.4f}, that of the constant probability {share:.3f}",
    )
    error, low, high = calibration_interval(scores)
    yield Rule(
        name="calibration",
        passed=error <= thresholds.calibration_error,
        details=f"expected calibration error {error:.3f} (95 % interval {low:.3f} to {high:.3f}); at most"
        f" {thresholds.calibration_error} is allowed",
    )


def calibration_interval(scores: Scores, seed: int = 0) -> tuple[float, float, float]:
    """Return the expected calibration error with its 95 % bootstrap interval over the rows."""
    generator, probabilities = np.random.default_rng(seed), scores.probabilities.mean(axis=0)
    errors = []
    for _ in range(RESAMPLES):
        rows = generator.integers(len(scores.labels), size=len(scores.labels))
        errors.append(calibration_error(probabilities[rows], scores.labels[rows]))
    low, high = np.quantile(errors, [0.025, 0.975])
    return calibration_error(probabilities, scores.labels), float(low), float(high)


def against(scores: Scores, other: Scores, name: str, test_share: float) -> Iterator[Rule]:
    """Yield a rule for each metric: it isn't worse than the opponent's beyond noise."""
    level = HARM / len(METRICS)
    for metric, (attribute, higher) in METRICS.items():
        own, others = getattr(scores, attribute), getattr(other, attribute)
        comparison = compare(own, others, test_share)
        worse = comparison.lower if higher else comparison.higher
        yield Rule(
            name=f"{metric} against {name}",
            passed=worse >= level,
            details=f"{own.mean():.4f}, {name} has {others.mean():.4f} on the same folds: difference"
            f" {comparison.difference:+.4f}, p = {worse:.2g} (corrected resampled t-test); worse with p < {level:g} is"
            " refused",
        )


def leak(permuted: Scores, labels: NDArray[np.int64]) -> Rule:
    """Return the rule that a model fitted on permuted labels knows nothing about the actual ones."""
    probabilities = permuted.probabilities[0]
    test = stats.mannwhitneyu(probabilities[labels == 1], probabilities[labels == 0], alternative="greater")
    auc = float(test.statistic) / float((labels == 1).sum() * (labels == 0).sum())
    return Rule(
        name="label leak",
        passed=float(test.pvalue) >= LEAK,
        details=f"fitted on permuted labels, it still ranks the actual ones: AUC {auc:.3f}, p = {test.pvalue:.2g}"
        f" (Mann-Whitney test); p < {LEAK:g} is refused, since it has the labels from elsewhere",
    )


def permute(labels: NDArray[np.int64], seed: int = 0) -> NDArray[np.int64]:
    """Return labels with the same share of 1 among the rows of either actual label."""
    generator, permuted = np.random.default_rng(seed), np.zeros_like(labels)
    for label in (0, 1):
        rows = generator.permutation(np.flatnonzero(labels == label))
        permuted[rows[: round(len(rows) * labels.mean())]] = 1
    return permuted
