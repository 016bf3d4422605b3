"""Judgements of a candidate, with any of their parts replaced."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from devstack.state import REPOSITORY
from include.core.ml.corners import corners
from include.core.ml.evaluation import Folds, Scores
from include.core.ml.gates import Judgement, Opponent, Rule, data, judge
from include.core.ml.gates.behaviour import Cost
from include.domains.titanic.features import segment
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST
from include.domains.titanic.spec import TITANIC

TABLE = PASSENGER_LIST.read((REPOSITORY / "include/data/titanic/train.csv").read_bytes())
ROWS = TABLE[list(COLUMNS)]
LABELS: NDArray[np.int64] = TABLE[LABEL].to_numpy()
SEGMENTS = segment(ROWS)
FOLDS = Folds(repeats=3)
CORNERS = corners(TITANIC, ROWS)
COST = Cost(milliseconds=20, load_seconds=1, memory=60 * 1024**2, file=8 * 1024**2)

Floats = NDArray[np.float64]


def scores(probabilities: Floats, labels: NDArray[np.int64] = LABELS) -> Scores:
    """Return scores with these out-of-fold probabilities, repeats x rows."""
    return Scores(probabilities, [test for _, test in FOLDS.of(labels, np.arange(len(labels)))], labels)


def probabilities(labels: NDArray[np.int64] = LABELS, right: float = 0.83, seed: int = 1, noise: int = 0) -> Floats:
    """Return calibrated probabilities of a model of which the share ``right`` is correct.

    Its errors depend on ``seed``, except in the share of rows that ``noise`` (per thousand) draws anew.
    """
    generator = np.random.default_rng(seed)
    certainty = np.clip(generator.beta(8, 8 * (1 - right) / right, len(labels)), 0.51, 0.99)
    wrong = generator.random(len(labels)) > certainty
    redrawn = np.random.default_rng(noise).random(len(labels)) < noise / 1000
    wrong = np.where(redrawn, np.random.default_rng(noise + 1).random(len(labels)) > certainty, wrong)
    probability = np.where(np.where(wrong, 1 - labels, labels) == 1, certainty, 1 - certainty)
    return np.tile(probability, (FOLDS.repeats, 1))


def judgement(
    own: Floats,
    rows: pd.DataFrame = ROWS,
    labels: NDArray[np.int64] = LABELS,
    cost: Cost = COST,
    permuted: Floats | None = None,
    **examined: Any,
) -> Judgement:
    """Return a judgement of a candidate with these probabilities; ``examined`` replaces what the file answered."""
    together = np.concatenate([own[0], np.full(len(CORNERS), 0.3)])
    elsewhere = examined.pop("elsewhere", together)
    found = {
        "together": together,
        "classes": (together > 0.5).astype(float),
        "shuffled": together,
        "again": together,
        "refitted": together,
        "positions": np.arange(25),
        "alone": together[:25],
        "seconds": np.full(25, cost.milliseconds / 1000),
    }
    unknowing = np.random.default_rng(5).random((1, len(labels)))
    return Judgement(
        rows=rows,
        labels=labels,
        groups=data.groups(rows),
        folds=FOLDS,
        scores=scores(own, labels),
        permuted=scores(unknowing if permuted is None else permuted, labels),
        corners=CORNERS,
        examined=found | examined,
        elsewhere=elsewhere,
        cost=cost,
    )


def opponent(own: Floats, cost: Cost = COST, name: str = "version 1") -> Opponent:
    """Return a champion with these probabilities, trained on the list as it is."""
    return Opponent(name, scores(own, LABELS), cost, ROWS, LABELS)


CHAMPION = probabilities()
Judge = Callable[..., list[str]]


def refusals(candidate: Judgement, *opponents: Opponent, needs_gain: bool = True) -> list[Rule]:
    """Return the broken rules."""
    return [rule for rule in judge(TITANIC, candidate, opponents, needs_gain=needs_gain) if not rule.passed]


@pytest.fixture
def broken() -> Judge:
    """Return the names of the rules that a candidate breaks, in comparison with the champion unless told otherwise."""

    def names(candidate: Judgement, *opponents: Opponent, needs_gain: bool = False) -> list[str]:
        return [rule.name for rule in refusals(candidate, *opponents, needs_gain=needs_gain)]

    return names
