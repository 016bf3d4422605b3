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
    """Answers what it is told to."""

    def __init__(self, answers: Any) -> None:
        self.answers = np.asarray(answers)

    def predict(self, _: pd.DataFrame) -> Any:
        return self.answers


def scores(right: float, flipped: str | None = None, seed: int = 1) -> Scores:
    """Predictions of which the share ``right`` is right; in the segment ``flipped`` a coin is thrown."""
    generator = np.random.default_rng(seed)
    wrong = generator.random((5, len(LABELS))) > right
    if flipped:
        wrong[:, SEGMENTS.eq(flipped)] = generator.random((5, int(SEGMENTS.eq(flipped).sum()))) > 0.45
    probabilities = np.where(wrong, 1 - LABELS, LABELS) * 0.8 + 0.1
    return Scores(probabilities, ((probabilities > 0.5) == LABELS).reshape(5, 27, 33).mean(axis=2).ravel())


def reference(table: pd.DataFrame = TABLE) -> Reference:
    return Reference(reference_bytes(table, scores(0.85)), TITANIC)


def broken(found: Scores, answers: Any = LABELS, champion: Opponent | None = None, table: Any = TABLE) -> list[str]:
    rules = judge(TITANIC, found, Oracle(answers), reference(table), 1 / 9, champion)
    return [rule.name for rule in rules if not rule.passed]


def test_a_good_candidate_passes() -> None:
    assert broken(scores(0.85)) == []
    assert broken(scores(0.85), champion=Opponent(3, scores(0.85, seed=2), reference())) == []


def test_a_bad_one_is_refused_with_its_numbers() -> None:
    assert "accuracy" in broken(scores(0.75))
    [rule] = [one for one in judge(TITANIC, scores(0.75), Oracle(LABELS), reference(), 1 / 9, None) if not one.passed]
    assert rule.found.startswith("mean accuracy 0.7")
    assert "above 0.8 is asked" in rule.found


def test_one_that_is_bad_in_one_segment_is_refused() -> None:
    assert broken(scores(0.95, flipped="female-2")) == ["segment female-2"]


def test_a_file_that_is_bad_in_one_segment_is_refused_though_its_recipe_is_good() -> None:
    answers = np.where(SEGMENTS.eq("male-1"), 1 - LABELS, LABELS)
    assert broken(scores(0.85), answers) == ["artifact male-1"]


def test_one_that_is_worse_than_the_champion_beyond_noise_is_refused() -> None:
    assert broken(scores(0.82), champion=Opponent(3, scores(0.95, seed=2), reference())) == ["champion"]


def test_labels_that_turned_over_in_one_segment_are_refused() -> None:
    turned = TABLE.copy()
    turned.loc[SEGMENTS.eq("female-1"), LABEL] = 1 - turned.loc[SEGMENTS.eq("female-1"), LABEL]
    found = scores(0.9)
    flipped = Scores(
        np.where(SEGMENTS.eq("female-1"), 1 - found.probabilities, found.probabilities), found.accuracies
    )  # a model that learned them well
    champion = Opponent(3, scores(0.85, seed=2), reference())
    assert broken(flipped, turned[LABEL].to_numpy(), champion, turned) == ["labels female-1"]


def test_a_small_segment_is_not_judged() -> None:
    few = pd.concat([TABLE[~SEGMENTS.eq("female-1")], TABLE[SEGMENTS.eq("female-1")].head(20)]).reset_index(drop=True)
    labels = few[LABEL].to_numpy()
    found = Scores(np.tile(labels * 0.8 + 0.1, (2, 1)), np.full(20, 0.9))
    rules = judge(TITANIC, found, Oracle(labels), Reference(reference_bytes(few, found), TITANIC), 1 / 9, None)
    assert not any("female-1" in rule.name for rule in rules)


def test_the_reference_survives_its_file() -> None:
    content = reference_bytes(TABLE, scores(0.85))
    assert "out_of_fold_4" in pd.read_parquet(io.BytesIO(content))
    again = Reference(content, TITANIC)
    assert again.probabilities == pytest.approx(scores(0.85).probabilities)
    pd.testing.assert_frame_equal(again.rows, TABLE[list(COLUMNS)])
