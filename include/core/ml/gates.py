"""The rules that a candidate must pass to become champion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from include.core.ml.evaluation import by_segment, compare

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from include.core.ml.candidate import Reference
    from include.core.ml.evaluation import Scores
    from include.core.ml.spec import ModelSpec, Thresholds

NOISE = 0.05
LABEL_NOISE = 0.001


@dataclass(frozen=True)
class Rule:
    """The result of a rule, with the numbers as text."""

    name: str
    passed: bool
    details: str


@dataclass(frozen=True)
class Opponent:
    """The champion's scores on the candidate's folds and rows, and its own training rows."""

    number: int
    scores: Scores
    reference: Reference


def judge(
    spec: ModelSpec,
    scores: Scores,
    model: Any,
    reference: Reference,
    test_share: float,
    champion: Opponent | None,
) -> list[Rule]:
    """Return the result of every rule.

    Args:
        spec: spec of the model.
        scores: the candidate's cross-validation.
        model: the fitted candidate, as it would be served.
        reference: its training rows.
        test_share: test rows over training rows of a fold.
        champion: the current champion, if any.
    """
    thresholds = spec.thresholds()
    rules = [
        _accuracy(scores, thresholds),
        *_segments("segment", scores.predictions, reference, spec, thresholds),
        *_segments("artifact", model.predict(reference.rows)[np.newaxis, :], reference, spec, thresholds),
    ]
    if champion:
        rules += [_champion(scores, champion, test_share), *_labels(reference, champion, spec)]
    return rules


def _accuracy(scores: Scores, thresholds: Thresholds) -> Rule:
    mean, folds = float(scores.accuracies.mean()), len(scores.accuracies)
    return Rule(
        "accuracy",
        mean > thresholds.accuracy,
        f"mean accuracy {mean:.4f} over {folds} folds; must be above {thresholds.accuracy}",
    )


def _segments(
    name: str, predictions: NDArray[np.int64], reference: Reference, spec: ModelSpec, thresholds: Thresholds
) -> Iterator[Rule]:
    """Rules ``segment`` use out-of-fold predictions, rules ``artifact`` the fitted model on its training rows."""
    for segment in by_segment(predictions, reference.labels, reference.segments):
        if segment.rows >= thresholds.segment_rows:
            yield Rule(
                f"{name} {segment.name}",
                segment.accuracy >= thresholds.segment_accuracy,
                f"accuracy {segment.accuracy:.3f} on {segment.rows} rows ({segment.predicted:.0%} {spec.outcome},"
                f" {segment.observed:.0%} did); must be at least {thresholds.segment_accuracy}",
            )


def _champion(scores: Scores, champion: Opponent, test_share: float) -> Rule:
    comparison = compare(scores.accuracies, champion.scores.accuracies, test_share)
    worse = comparison.difference < 0 and comparison.p_value < NOISE
    return Rule(
        "champion",
        not worse,
        f"mean accuracy {scores.accuracies.mean():.4f}, version {champion.number} has"
        f" {champion.scores.accuracies.mean():.4f} on the same folds: difference {comparison.difference:+.4f},"
        f" p = {comparison.p_value:.3f} (corrected resampled t-test); worse with p < {NOISE} is refused",
    )


def _labels(reference: Reference, champion: Opponent, spec: ModelSpec) -> Iterator[Rule]:
    """Detect labels whose share in a segment changed since the champion was trained."""
    now, before = reference.segments, champion.reference.segments
    for name in sorted(set(now) & set(before)):
        new, old = reference.labels[now.eq(name)], champion.reference.labels[before.eq(name)]
        p_value = float(stats.fisher_exact([[new.sum(), (1 - new).sum()], [old.sum(), (1 - old).sum()]]).pvalue)
        yield Rule(
            f"labels {name}",
            p_value >= LABEL_NOISE,
            f"{new.mean():.0%} of {len(new)} rows {spec.positive}, {old.mean():.0%} of {len(old)} when version"
            f" {champion.number} was trained: p = {p_value:.2g} (Fisher's exact test); p < {LABEL_NOISE} is refused",
        )
