"""Each rule of the gate, passed and broken."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest

from devstack.state import REPOSITORY
from include.core.ml.candidate import Reference, reference_bytes
from include.core.ml.evaluation import Scores
from include.core.ml.gates import Opponent, judge
from include.domains.titanic.features import segment
from include.domains.titanic.passengers import COLUMNS, LABEL, read
from include.domains.titanic.spec import TITANIC

TABLE = read((REPOSITORY / "include/data/titanic/train.csv").read_bytes())
LABELS = TABLE[LABEL].to_numpy()
SEGMENTS = segment(TABLE[list(COLUMNS)])


class Oracle:
    """Predicts the given values."""

    def __init__(self, predictions: Any) -> None:
        self.predictions = np.asarray(predictions)

    def predict(self, _: pd.DataFrame) -> Any:
        return self.predictions


def scores(right: float, flipped: str | None = None, seed: int = 1) -> Scores:
    """Predictions of which the share ``right`` is correct; in the segment ``flipped`` they are random."""
    generator = np.random.default_rng(seed)
    wrong = generator.random((5, len(LABELS))) > right
    if flipped:
        wrong[:, SEGMENTS.eq(flipped)] = generator.random((5, int(SEGMENTS.eq(flipped).sum()))) > 0.45
    probabilities = np.where(wrong, 1 - LABELS, LABELS) * 0.8 + 0.1
    return Scores(probabilities, ((probabilities > 0.5) == LABELS).reshape(5, 27, 33).mean(axis=2).ravel())


def reference(table: pd.DataFrame = TABLE) -> Reference:
    return Reference(reference_bytes(table, scores(0.85)), TITANIC)


def broken(model: Scores, predictions: Any = LABELS, champion: Opponent | None = None, table: Any = TABLE) -> list[str]:
    rules = judge(TITANIC, model, Oracle(predictions), reference(table), 1 / 9, champion)
    return [rule.name for rule in rules if not rule.passed]


def test_a_good_candidate_passes() -> None:
    assert broken(scores(0.85)) == []
    assert broken(scores(0.85), champion=Opponent(3, scores(0.85, seed=2), reference())) == []


def test_a_bad_candidate_is_refused_with_its_numbers() -> None:
    assert "accuracy" in broken(scores(0.75))
    [rule] = [r for r in judge(TITANIC, scores(0.75), Oracle(LABELS), reference(), 1 / 9, None) if not r.passed]
    assert rule.details.startswith("mean accuracy 0.7")
    assert "must be above 0.8" in rule.details


def test_a_candidate_that_is_bad_in_one_segment_is_refused_by_the_gate() -> None:
    assert broken(scores(0.95, flipped="female-2")) == ["segment female-2"]


def test_an_artifact_that_is_bad_in_one_segment_is_refused() -> None:
    predictions = np.where(SEGMENTS.eq("male-1"), 1 - LABELS, LABELS)
    assert broken(scores(0.85), predictions) == ["artifact male-1"]


def test_a_candidate_significantly_worse_than_the_champion_is_refused() -> None:
    assert broken(scores(0.82), champion=Opponent(3, scores(0.95, seed=2), reference())) == ["champion"]


def test_labels_inverted_in_one_segment_are_refused() -> None:
    inverted = TABLE.copy()
    inverted.loc[SEGMENTS.eq("female-1"), LABEL] = 1 - inverted.loc[SEGMENTS.eq("female-1"), LABEL]
    model = scores(0.9)
    flipped = Scores(
        np.where(SEGMENTS.eq("female-1"), 1 - model.probabilities, model.probabilities), model.accuracies
    )  # a model that learned the inverted labels
    champion = Opponent(3, scores(0.85, seed=2), reference())
    assert broken(flipped, inverted[LABEL].to_numpy(), champion, inverted) == ["labels female-1"]


def test_a_small_segment_is_not_judged() -> None:
    few = pd.concat([TABLE[~SEGMENTS.eq("female-1")], TABLE[SEGMENTS.eq("female-1")].head(20)]).reset_index(drop=True)
    labels = few[LABEL].to_numpy()
    model = Scores(np.tile(labels * 0.8 + 0.1, (2, 1)), np.full(20, 0.9))
    rules = judge(TITANIC, model, Oracle(labels), Reference(reference_bytes(few, model), TITANIC), 1 / 9, None)
    assert not any("female-1" in rule.name for rule in rules)


def test_the_reference_is_restored_from_its_file() -> None:
    content = reference_bytes(TABLE, scores(0.85))
    assert "out_of_fold_4" in pd.read_parquet(io.BytesIO(content))
    again = Reference(content, TITANIC)
    assert again.probabilities == pytest.approx(scores(0.85).probabilities)
    pd.testing.assert_frame_equal(again.rows, TABLE[list(COLUMNS)])
