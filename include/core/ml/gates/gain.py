"""The rule that a candidate is accepted only for a gain that was shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.ml.evaluation import compare
from include.core.ml.gates.quality import METRICS
from include.core.ml.gates.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.ml.evaluation import Scores
    from include.core.ml.gates.behaviour import Cost

GAIN, QUALITY_GAIN = "gain", "gain in quality"
CHANCE = 0.05
QUALITY = ("accuracy", "Brier score", "AUC")
CHEAPER = 0.7
COSTS = {"milliseconds": ("time of a call", 1.0), "file": ("file size", 1024 * 1024)}  # the least that counts
RATCHET = 0.005
"""Accuracy that a gain in anything else may cost, compared with the pinned version, over any number of champions."""


def gains(
    scores: Scores, other: Scores, cost: Cost, other_cost: Cost, test_share: float, name: str, pinned: Scores
) -> Iterator[Rule]:
    """Yield the rule that something is better than the champion, named after the kind of gain that was found.

    Accuracy, Brier score and AUC are tested by the corrected resampled t-test with Bonferroni's correction.
    """
    level = CHANCE / len(QUALITY)
    tested, better = [], []
    for metric in QUALITY:
        attribute, higher = METRICS[metric]
        comparison = compare(getattr(scores, attribute), getattr(other, attribute), test_share)
        p_value = comparison.higher if higher else comparison.lower
        tested.append(f"{metric} {comparison.difference:+.4f} (p = {p_value:.2g})")
        if p_value < level:
            better.append(metric)
    if better and "accuracy" not in better and not _keeps_accuracy(scores, pinned):
        better = []
    is_quality = bool(better)
    for attribute, (text, least) in COSTS.items():
        own, others = getattr(cost, attribute), getattr(other_cost, attribute)
        tested.append(f"{text} {own / others:.2f} times")
        if own <= CHEAPER * others and others - own >= least and _keeps_accuracy(scores, pinned):
            better.append(text)
    yield Rule(
        name=QUALITY_GAIN if is_quality else GAIN,
        passed=bool(better),
        details=f"{'better in ' + ', '.join(better) if better else 'no gain'}. Compared with {name}:"
        f" {', '.join(tested)}; needed: p < {level:.3g}, or at most {CHEAPER} times the cost; unless accuracy is"
        f" better, at most {RATCHET} of it may be lost to the pinned version",
        is_harm=False,
    )


def _keeps_accuracy(scores: Scores, pinned: Scores) -> bool:
    return float(scores.accuracies.mean()) >= float(pinned.accuracies.mean()) - RATCHET
