"""Harmful candidates, each refused for its own reason, and honest ones."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from include.core.ml.errors import DataError
from include.core.ml.gates import Opponent, data
from include.core.ml.gates.behaviour import Cost
from include.domains.titanic.features import derive, segment
from include.domains.titanic.passengers import LABEL
from include.domains.titanic.spec import TITANIC
from tests.unit.titanic.conftest import (
    CHAMPION,
    COST,
    LABELS,
    ROWS,
    SEGMENTS,
    TABLE,
    Floats,
    Judge,
    judgement,
    opponent,
    probabilities,
    refusals,
    scores,
)

TITLES = derive(ROWS)["Title"]
BOYS = TITLES.eq("Master").to_numpy()
OLD = ROWS["Age"].ge(60).to_numpy()
FIRST_CLASS_WOMEN = SEGMENTS.eq("female-1").to_numpy()
MIB = 1024**2


def wrong_for(rows: Any, share: float = 1.0) -> Floats:
    """The champion's probabilities, wrong for a share of some rows and right for a few of the others."""
    changed = CHAMPION.copy()
    generator = np.random.default_rng(2)
    chosen = np.asarray(rows) & (generator.random(len(LABELS)) < share)
    certainty = np.maximum(CHAMPION, 1 - CHAMPION)
    changed[:, chosen] = np.where(LABELS == 1, 1 - certainty, certainty)[:, chosen]
    mistaken = np.flatnonzero(((CHAMPION[0] > 0.5) != LABELS) & ~np.asarray(rows))
    better = mistaken[: max(0, int(chosen.sum()))]
    changed[:, better] = np.where(LABELS == 1, certainty, 1 - certainty)[:, better]
    return changed


def reordered() -> Floats:
    """The champion's classes, with certainties that say nothing."""
    generator = np.random.default_rng(3)
    certainty = generator.permutation(np.maximum(CHAMPION[0], 1 - CHAMPION[0]))
    return np.tile(np.where(CHAMPION[0] > 0.5, certainty, 1 - certainty), (len(CHAMPION), 1))


def worse_by(share: float, noise: float = 0.0) -> Floats:
    """The champion's probabilities, wrong for a few more rows than are right now; of both, ``noise`` of all rows."""
    right, generator = (CHAMPION[0] > 0.5) == LABELS, np.random.default_rng(4)
    count = round(noise * len(LABELS))
    lost = generator.choice(np.flatnonzero(right), count + max(0, round(share * len(LABELS))), replace=False)
    won = generator.choice(np.flatnonzero(~right), count + max(0, round(-share * len(LABELS))), replace=False)
    changed = CHAMPION.copy()
    for rows in (lost, won):
        changed[:, rows] = 1 - changed[:, rows]
    return changed


QUALITY: dict[str, tuple[Floats, str]] = {
    "squeezed to 0.49 and 0.51": (np.where(CHAMPION > 0.5, 0.51, 0.49), "Brier score against version 1"),
    "squeezed, without a champion to compare with": (np.where(CHAMPION > 0.5, 0.51, 0.49), "calibration"),
    "pushed to 0 and 1": (np.where(CHAMPION > 0.5, 1.0, 0.0), "log loss against version 1"),
    "overconfident": (np.where(CHAMPION > 0.5, 0.99, 0.01), "Brier score against version 1"),
    "certainties that say nothing": (reordered(), "AUC against version 1"),
    "a constant": (np.full_like(CHAMPION, 0.45), "Brier score"),
    "inaccurate": (probabilities(right=0.7), "accuracy"),
    "three points worse": (worse_by(0.03), "accuracy against version 1"),
    "first-class women": (wrong_for(FIRST_CLASS_WOMEN, 0.42), "female-1 against version 1"),
    "first-class women, below the limit": (wrong_for(FIRST_CLASS_WOMEN, 0.7), "segment female-1"),
    "all boys": (wrong_for(BOYS), "Title = Master against version 1"),
    "all over 60": (wrong_for(OLD), "Age ≥ 56 against version 1"),
    "all who boarded in Queenstown": (wrong_for(ROWS["Embarked"].eq("Q"), 0.5), "Embarked = Q against version 1"),
    "large families": (wrong_for(ROWS[["SibSp", "Parch"]].sum(axis=1).ge(4)), "FamilySize ≥ 6 against version 1"),
    "men of deck C": (
        wrong_for(ROWS["Cabin"].str[0].eq("C") & ROWS["Sex"].eq("male"), 0.8),
        "Deck = C against version 1",
    ),
    "third-class women from Southampton": (
        wrong_for(SEGMENTS.eq("female-3") & ROWS["Embarked"].eq("S"), 0.4),
        "female-3, Embarked = S against version 1",
    ),
}


@pytest.mark.parametrize(("own", "rule"), QUALITY.values(), ids=QUALITY)
def test_a_candidate_that_is_worse_anywhere_is_refused(own: Floats, rule: str, broken: Judge) -> None:
    opponents = [opponent(CHAMPION)] if "against" in rule else []
    names = broken(judgement(own), *opponents)
    assert rule in names


NO_GAIN: dict[str, tuple[Floats, Cost]] = {
    "the same model again": (CHAMPION, COST),
    "better by noise": (worse_by(-0.002, noise=0.01), COST),
    "a little faster": (CHAMPION, COST.model_copy(update={"milliseconds": 18.0})),
}


@pytest.mark.parametrize(("own", "cost"), NO_GAIN.values(), ids=NO_GAIN)
def test_a_candidate_without_a_gain_is_refused_but_not_as_harmful(own: Floats, cost: Cost) -> None:
    [rule] = refusals(judgement(own, cost=cost), opponent(CHAMPION))
    assert rule.name == "gain"
    assert not rule.is_harm
    assert rule.details.startswith("no gain. Compared with version 1: accuracy")


def test_a_cheaper_candidate_may_not_fall_behind_the_pinned_version_step_by_step() -> None:
    half = COST.model_copy(update={"file": COST.file // 2})
    champion = opponent(worse_by(0.004, noise=0.02), name="version 2")
    assert [
        rule.name for rule in refusals(judgement(worse_by(0.008, noise=0.02), cost=half), champion, opponent(CHAMPION))
    ] == ["gain"]
    assert refusals(judgement(CHAMPION, cost=half), champion, opponent(CHAMPION)) == []


def test_a_better_candidate_is_accepted() -> None:
    better = np.clip(np.where(LABELS == 1, CHAMPION + 0.08, CHAMPION - 0.08), 0.01, 0.99)
    assert refusals(judgement(better), opponent(CHAMPION)) == []
    assert refusals(judgement(CHAMPION)) == []


def test_a_segment_in_which_a_large_loss_is_not_refused_is_too_small(broken: Judge) -> None:
    kept = ~SEGMENTS.eq("female-2") | SEGMENTS.eq("female-2").cumsum().le(32)
    rows, labels = ROWS[kept].reset_index(drop=True), LABELS[kept]
    own, women = probabilities(labels), segment(rows).eq("female-2").to_numpy()
    harmed = own.copy()
    harmed[:, women] = np.where(np.arange(women.sum()) < 11, 1 - own[:, women], own[:, women])
    others = replace(opponent(CHAMPION), scores=scores(own, labels), rows=rows, labels=labels)
    assert "female-2 against version 1" in broken(judgement(harmed, rows, labels), others)


def with_nan() -> Floats:
    answers = judgement(CHAMPION).examined["together"].copy()
    answers[-5:] = np.nan
    return np.asarray(answers)


def moved(by: float, count: int | None = None) -> Floats:
    return np.asarray(judgement(CHAMPION).examined["together"][:count]) + by


BEHAVIOUR: dict[str, tuple[dict[str, Any], str]] = {
    "NaN for unseen values": ({"together": with_nan()}, "probabilities"),
    "probabilities above 1": ({"together": moved(0.7)}, "probabilities"),
    "probabilities below 0": ({"together": moved(-0.7)}, "probabilities"),
    "classes that contradict": ({"classes": 1 - judgement(CHAMPION).examined["classes"]}, "classes"),
    "hangs on the other rows of a batch": ({"alone": moved(0.01, 25)}, "answers alone"),
    "hangs on the order": ({"shuffled": moved(1e-6)}, "answers shuffled"),
    "hangs on the number of calls": ({"again": moved(1e-6)}, "answers again"),
    "hangs on time or process": ({"elsewhere": moved(1e-6)}, "answers elsewhere"),
    "NaN in another process": ({"elsewhere": with_nan()}, "answers elsewhere"),
    "isn't what its recipe makes of the data": ({"refitted": moved(0.001)}, "recipe"),
    "300 ms a request": ({"cost": COST.model_copy(update={"milliseconds": 300.0})}, "latency"),
    "four times as slow as the champion": ({"cost": COST.model_copy(update={"milliseconds": 80.0})}, "latency"),
    "12 s a request": ({"cost": COST.model_copy(update={"milliseconds": 12_000.0})}, "latency"),
    "12 s to load": ({"cost": COST.model_copy(update={"load_seconds": 12.0})}, "loading"),
    "510 MB of memory": ({"cost": COST.model_copy(update={"memory": 510 * MIB})}, "memory"),
    "121 MB of file": ({"cost": COST.model_copy(update={"file": 121 * MIB})}, "file size"),
    "knows labels that it wasn't given": ({"permuted": LABELS[np.newaxis, :] * 0.8 + 0.1}, "label leak"),
    "knows a fifth of the labels": (
        {
            "permuted": np.where(np.arange(len(LABELS)) % 5 == 0, LABELS, np.random.default_rng(6).random(len(LABELS)))[
                np.newaxis, :
            ]
        },
        "label leak",
    ),
}


@pytest.mark.parametrize(("changes", "rule"), BEHAVIOUR.values(), ids=BEHAVIOUR)
def test_a_file_that_misbehaves_is_refused(changes: dict[str, Any], rule: str, broken: Judge) -> None:
    assert rule in broken(judgement(CHAMPION, **changes), opponent(CHAMPION))


def test_the_refusal_of_an_answer_shows_its_row() -> None:
    [rule] = refusals(
        judgement(
            CHAMPION,
            together=with_nan(),
            shuffled=with_nan(),
            again=with_nan(),
            refitted=with_nan(),
            elsewhere=with_nan(),
        )
    )
    assert rule.name == "probabilities"
    assert rule.details.startswith(
        f"5 of {len(with_nan())} answers aren't probabilities from 0 to 1; the first for Pclass"
    )


def flipped(rows: Any) -> pd.DataFrame:
    return TABLE.assign(**{LABEL: np.where(rows, 1 - LABELS, LABELS)})


def missing(column: str, share: float) -> pd.DataFrame:
    chosen = np.random.default_rng(7).random(len(TABLE)) < share
    return TABLE.assign(**{column: TABLE[column].mask(chosen)})


LISTS: dict[str, tuple[pd.DataFrame, str]] = {
    "only men": (TABLE[TABLE["Sex"].eq("male")], "share of female-1"),
    "only class 3": (TABLE[TABLE["Pclass"].eq(3)], "share of male-1"),
    "few women of class 2": (TABLE[~SEGMENTS.eq("female-2") | (TABLE.index < 200)], "size of female-2"),
    "fares times ten": (TABLE.assign(Fare=TABLE["Fare"] * 10), "range of Fare"),
    "ages in decades": (TABLE.assign(Age=TABLE["Age"] / 10), "range of Age"),
    "ages in months": (TABLE.assign(Age=(TABLE["Age"] * 12).clip(upper=120)), "range of Age"),
    "half of the ages": (missing("Age", 0.5), "missing Age"),
    "hardly any port": (missing("Embarked", 0.9), "missing Embarked"),
    "boys' labels flipped": (flipped(BOYS), "changed labels"),
    "boys' labels flipped, found by slice": (flipped(BOYS), "labels Title = Master, "),
    "labels of first-class women flipped": (flipped(FIRST_CLASS_WOMEN), "labels female-1"),
    "tripled under new ids": (pd.concat([TABLE] * 3), "copies"),
    "doubled, names in capitals": (pd.concat([TABLE, TABLE.assign(Name=TABLE["Name"].str.upper())]), "copies"),
    "doubled, names with a dot more": (pd.concat([TABLE, TABLE.assign(Name=TABLE["Name"] + ".")]), "copies"),
}


@pytest.mark.parametrize(("table", "rule"), LISTS.values(), ids=LISTS)
def test_a_list_that_is_no_later_state_of_the_last_is_refused(table: pd.DataFrame, rule: str, broken: Judge) -> None:
    rows, labels = table[TITANIC.columns].reset_index(drop=True), table[LABEL].to_numpy()
    own = probabilities(labels)
    names = broken(judgement(own, rows, labels), champion_on(labels))
    assert any(name.startswith(rule) for name in names), names


def champion_on(labels: Any) -> Opponent:
    """The champion, cross-validated on another list."""
    return replace(opponent(CHAMPION), scores=scores(probabilities(labels), labels))


@pytest.mark.parametrize("seed", range(3))
def test_a_list_with_a_tenth_fewer_or_more_rows_passes(seed: int, broken: Judge) -> None:
    table = TABLE.sample(800, random_state=seed)
    rows, labels = table[TITANIC.columns].reset_index(drop=True), table[LABEL].to_numpy()
    assert broken(judgement(probabilities(labels), rows, labels), champion_on(labels)) == []


def with_survivors(count: int) -> pd.DataFrame:
    survivors = np.flatnonzero(LABELS)[count:]
    return TABLE.assign(**{LABEL: np.where(np.isin(np.arange(len(TABLE)), survivors), 0, LABELS)})


UNTRAINABLE: dict[str, tuple[pd.DataFrame, str]] = {
    "no age": (missing("Age", 2), r"column 'Age' has a value in 0 row\(s\); at least 10 are needed"),
    "no fare": (missing("Fare", 2), r"column 'Fare' has a value in 0 row\(s\)"),
    "no port": (missing("Embarked", 2), r"column 'Embarked' has a value in 0 row\(s\)"),
    "a few ages": (TABLE.assign(Age=TABLE["Age"].where(TABLE.index < 9)), r"column 'Age' has a value in \d row\(s\)"),
    "one survivor": (with_survivors(1), r"1 different row\(s\) have Survived = 1; at least 10 are needed"),
    "no survivor": (with_survivors(0), r"0 different row\(s\) have Survived = 1"),
    "a column less": (TABLE.drop(columns="Ticket"), "no column 'Ticket'"),
}


@pytest.mark.parametrize(("table", "message"), UNTRAINABLE.values(), ids=UNTRAINABLE)
def test_a_list_that_nothing_can_be_learned_from_names_the_column(table: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=f"passengers: {message}"):
        data.require_trainable(TITANIC, table, 10)


def test_rules_name_the_figure_the_limit_and_the_slice() -> None:
    rules = {rule.name: rule.details for rule in refusals(judgement(wrong_for(BOYS)), opponent(CHAMPION))}
    details = rules["Title = Master against version 1"]
    assert "of 40 rows, " in details
    assert "(McNemar's exact test); p < " in details
    assert re.search(r"A net loss of \d+% is refused; it must be at most 35%", details)
