"""Rules about out-of-fold predictions of slices of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from include.core.ml.gates.quality import HARM
from include.core.ml.gates.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from include.core.ml.evaluation import Scores
    from include.core.ml.slices import Slice
    from include.core.ml.spec import ModelSpec, Thresholds


def sizes(spec: ModelSpec, segments: NDArray[np.str_], thresholds: Thresholds) -> Iterator[Rule]:
    """Yield a rule for each segment, of the list or of those that the spec names, with too few rows to be judged."""
    counts = dict.fromkeys(spec.segments, 0) | dict(zip(*np.unique(segments, return_counts=True), strict=True))
    for name, count in counts.items():
        if count < thresholds.segment_rows:
            yield Rule(
                name=f"size of {name}",
                passed=False,
                details=f"{count} {spec.rows_name}; at least {thresholds.segment_rows} are needed to judge a segment",
            )


def absolute(
    name: str, predictions: NDArray[np.int64], scores: Scores, slices: Sequence[Slice], spec: ModelSpec
) -> Iterator[Rule]:
    """Yield the accuracy of each declared segment; ``predictions`` is repeats x rows."""
    limit = spec.thresholds().segment_accuracy
    for part in slices:
        if part.declared:
            labels, selected = scores.labels[part.rows], predictions[:, part.rows]
            accuracy = float((selected == labels).mean())
            yield Rule(
                name=f"{name} {part.name}",
                passed=accuracy >= limit,
                details=f"accuracy {accuracy:.3f} on {part.rows.sum()} rows ({selected.mean():.0%} {spec.outcome},"
                f" {labels.mean():.0%} did); must be at least {limit}",
            )


def against(
    scores: Scores, other: Scores, name: str, slices: Sequence[Slice], thresholds: Thresholds
) -> Iterator[Rule]:
    """Yield a rule for each slice that is harmed, and for each declared one the loss that would be refused.

    McNemar's exact test of the rows that only one of the two predicts correctly (by the vote of the repeats), with
    Tarone's correction for the number of slices, which doesn't count those too small to ever show harm (R. E. Tarone,
    A modified Bonferroni method for discrete data, Biometrics 46, 1990).
    """
    right, others = scores.votes == scores.labels, other.votes == scores.labels
    worse, better = others & ~right, right & ~others
    losses = np.array([(worse & part.rows).sum() for part in slices])
    gains = np.array([(better & part.rows).sum() for part in slices])
    level = tarone(losses + gains, HARM)
    p_values = stats.binom.sf(losses - 1, losses + gains, 0.5)  # 1 where nothing was lost
    for part, lost, gained, p_value in zip(slices, losses, gains, p_values, strict=True):
        rows = int(part.rows.sum())
        visible = (_refused_from(int(gained), level) - int(gained)) / rows
        harmed, hidden = p_value < level, part.declared and visible > thresholds.hidden_harm
        if part.declared or harmed:
            yield Rule(
                name=f"{part.name} against {name}",
                passed=bool(not harmed and not hidden),
                details=f"of {rows} rows, {lost} are wrong now and were right, {gained} the other way round:"
                f" p = {p_value:.2g} (McNemar's exact test); p < {level:.2g} is refused. A net loss of {visible:.0%}"
                f" is refused; it must be at most {thresholds.hidden_harm:.0%}",
            )


def tarone(counts: NDArray[np.int64], alpha: float) -> float:
    """Return the significance level of each of many sign tests with ``counts`` untied rows."""
    smallest = 0.5 ** counts.astype(float)
    tests = 1
    while (smallest <= alpha / tests).sum() > tests:
        tests += 1
    return alpha / tests


def _refused_from(gained: int, level: float) -> int:
    """Return the smallest number of rows lost that McNemar's test refuses, with as many rows gained."""
    lost = gained + 1
    while stats.binom.sf(lost - 1, lost + gained, 0.5) >= level:
        lost += 1
    return lost
