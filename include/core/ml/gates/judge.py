"""Applies every rule to a candidate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from include.core.ml.gates import behaviour, data, quality, segments
from include.core.ml.gates.gain import gains
from include.core.ml.slices import Slicer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from include.core.ml.evaluation import Folds, Scores
    from include.core.ml.gates.behaviour import Cost
    from include.core.ml.gates.rule import Rule
    from include.core.ml.sandbox.content import Content
    from include.core.ml.spec import ModelSpec


@dataclass(frozen=True)
class Judgement:
    """What was found out about a candidate.

    Attributes:
        rows, labels, groups: the training list; groups number rows that are copies of each other.
        folds: of the cross-validation.
        scores: its recipe's cross-validation.
        permuted: the same, once, on permuted labels.
        corners: rows of any content that the schema allows.
        examined: result of :func:`include.core.ml.sandbox.jobs.examine`.
        elsewhere: probabilities of rows and corners in another process.
        cost: what it costs.
    """

    rows: pd.DataFrame
    labels: NDArray[np.int64]
    groups: NDArray[np.int64]
    folds: Folds
    scores: Scores
    permuted: Scores
    corners: pd.DataFrame
    examined: Content
    elsewhere: NDArray[np.float64]
    cost: Cost


@dataclass(frozen=True)
class Opponent:
    """A version that the candidate must not be worse than.

    Attributes:
        name: such as ``version 3``.
        scores: its recipe's cross-validation on the candidate's list and folds.
        cost: what it costs.
        rows, labels: what it was trained on.
    """

    name: str
    scores: Scores
    cost: Cost
    rows: pd.DataFrame
    labels: NDArray[np.int64]


def judge(
    spec: ModelSpec, judgement: Judgement, opponents: Sequence[Opponent], *, needs_gain: bool = True
) -> list[Rule]:
    """Return the result of every rule; those of slices only if they are declared or broken.

    Args:
        spec: spec of the model.
        judgement: what was found out about the candidate.
        opponents: the champion, if there is one, and the pinned version, if it is another.
        needs_gain: whether the candidate must be better than the champion in something.
    """
    return list(_rules(spec, judgement, opponents, needs_gain=needs_gain))


def _rules(spec: ModelSpec, judgement: Judgement, opponents: Sequence[Opponent], *, needs_gain: bool) -> Iterator[Rule]:
    thresholds, scores = spec.thresholds(), judgement.scores
    slicer = Slicer(spec, judgement.rows, thresholds.slice_rows)
    slices = slicer.slices(judgement.rows)
    yield data.copies(spec, judgement.groups)
    yield from segments.sizes(spec, spec.segment(judgement.rows).to_numpy(str), thresholds)
    yield from quality.absolute(scores, thresholds)
    yield from segments.absolute("segment", scores.predictions, scores, slices, spec)
    fitted = (judgement.examined["together"][: len(judgement.rows)] > 0.5).astype(np.int64)[np.newaxis, :]
    yield from segments.absolute("file", fitted, scores, slices, spec)
    yield quality.leak(judgement.permuted, judgement.labels)
    queried = pd.concat([judgement.rows, judgement.corners], ignore_index=True)
    yield from behaviour.answers(judgement.examined, judgement.elsewhere, queried)
    champion_cost = opponents[0].cost if opponents else None
    yield from behaviour.costs(judgement.cost, len(judgement.examined["alone"]), champion_cost, thresholds)
    for opponent in opponents:
        test_share = judgement.folds.test_share
        yield from quality.against(scores, opponent.scores, opponent.name, test_share)
        yield from segments.against(scores, opponent.scores, opponent.name, slices, thresholds)
        yield from data.against(
            spec, judgement.rows, judgement.labels, opponent.rows, opponent.labels, slicer, opponent.name
        )
    if opponents and needs_gain:
        champion, pinned = opponents[0], opponents[-1]
        yield from gains(
            scores,
            champion.scores,
            judgement.cost,
            champion.cost,
            judgement.folds.test_share,
            champion.name,
            pinned.scores,
        )
