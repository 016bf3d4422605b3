"""Rules about out-of-fold predictions of slices of the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from include.core.ml.gates.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from include.core.ml.evaluation import Scores
    from include.core.ml.slices import Slice
    from include.core.ml.spec import ModelSpec, Thresholds

HARM = 0.01
"""Probability that an equally good candidate is refused, by all slices of one opponent."""
POWER = 0.8
LEAST_DISCORDANCE = 0.05


def sizes(spec: ModelSpec, segments: NDArray[np.str_], thresholds: Thresholds) -> Iterator[Rule]:
    """Yield a rule for each segment with too few rows to be judged."""
    names, counts = np.unique(segments, return_counts=True)
    for name, count in zip(names, counts, strict=True):
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
    """Yield a rule for each slice that is harmed, and for each declared one the harm that would have shown.

    McNemar's exact test of the rows that only one of the two predicts correctly (by the vote of the repeats), with
    Tarone's correction for the number of slices, which doesn't count those too small to ever show harm (R. E. Tarone,
    A modified Bonferroni method for discrete data, Biometrics 46, 1990).
    """
    right, others = scores.votes == scores.labels, other.votes == scores.labels
    worse, better = others & ~right, right & ~others
    losses = np.array([(worse & part.rows).sum() for part in slices])
    gains = np.array([(better & part.rows).sum() for part in slices])
    level = tarone(losses + gains, HARM)
    discordance = max(LEAST_DISCORDANCE, float((worse | better).mean()))
    p_values = stats.binom.sf(losses - 1, losses + gains, 0.5)  # 1 where nothing was lost
    for part, lost, gained, p_value in zip(slices, losses, gains, p_values, strict=True):
        rows = int(part.rows.sum())
        visible = _visible(rows, discordance, level)
        harmed, hidden = p_value < level, part.declared and visible > thresholds.hidden_harm
        if part.declared or harmed:
            yield Rule(
                name=f"{part.name} against {name}",
                passed=bool(not harmed and not hidden),
                details=f"of {rows} rows, {lost} are wrong now and were right, {gained} the other way round:"
                f" p = {p_value:.2g} (McNemar's exact test); p < {level:.2g} is refused. A loss of {visible:.0%} would"
                f" have shown; it must be at most {thresholds.hidden_harm:.0%}",
            )


def tarone(counts: NDArray[np.int64], alpha: float) -> float:
    """Return the significance level of each of many sign tests with ``counts`` untied rows."""
    smallest = 0.5 ** counts.astype(float)
    tests = 1
    while (smallest <= alpha / tests).sum() > tests:
        tests += 1
    return alpha / tests


def _visible(rows: int, discordance: float, level: float) -> float:
    """Return the loss of accuracy that McNemar's test would have found with a probability of :data:`POWER`.

    The difference of two shares of discordant rows has about the standard deviation sqrt(discordance / rows).
    """
    return float((stats.norm.isf(level) + stats.norm.isf(1 - POWER)) * np.sqrt(discordance / rows))
