"""A model that is served with less work gives the same numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import ExtraTreesClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from include.core.ml.serving.lean import lean
from include.domains.titanic.models import MODELS
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST

TABLE = PASSENGER_LIST.read((Path(__file__).parents[3] / "include/data/titanic/train.csv").read_bytes())
ROWS, LABELS = TABLE[list(COLUMNS)], TABLE[LABEL].to_numpy()
ODD = {
    "as they are": ROWS,
    "one": ROWS.head(1),
    "without ages and fares": ROWS.assign(Age=np.nan, Fare=np.nan),
    "unseen categories": ROWS.assign(Cabin="Z9", Name="nobody", Embarked=None).astype(ROWS.dtypes.to_dict()),
    "extremes": ROWS.assign(Age=120.0, Fare=10_000.0, SibSp=20, Parch=20),
}


@pytest.mark.parametrize("name", MODELS)
def test_a_lean_model_gives_the_same_numbers(name: str) -> None:
    model = MODELS[name]().fit(ROWS, LABELS)
    quick = lean(model)
    assert (quick is model) == (name == "gender_rule")
    for rows in ODD.values():
        np.testing.assert_array_equal(quick.predict_proba(rows), model.predict_proba(rows))


FRAME = pd.DataFrame({"t": list("aabbccde") * 5, "u": list("xy") * 20, "n": np.arange(40.0)})
CLASSES = np.arange(40) % 2


def columns(*blocks: Any, **options: Any) -> ColumnTransformer:
    return ColumnTransformer([(str(number), *block) for number, block in enumerate(blocks)], **options)


def one_hot(**options: Any) -> OneHotEncoder:
    return OneHotEncoder(**({"sparse_output": False, "handle_unknown": "ignore"} | options))


TRANSFORMERS = {
    "unknown is ignored": columns((one_hot(), ["t", "u"]), (StandardScaler(), ["n"])),
    "infrequent": columns((one_hot(min_frequency=6, handle_unknown="infrequent_if_exist"), ["t", "u"])),
    "one infrequent category": columns((one_hot(max_categories=5, handle_unknown="infrequent_if_exist"), ["t"])),
    "other order": columns((StandardScaler(), ["n"]), (one_hot(), ["u"]), (one_hot(), ["t"])),
    "weights": columns((one_hot(), ["t"]), (StandardScaler(), ["n"]), transformer_weights={"1": 3.0}),
    "without centre": columns((StandardScaler(with_mean=False), ["n"])),
    "drop": columns((one_hot(drop="first"), ["t", "u"])),
    "sparse": columns((one_hot(sparse_output=True), ["t", "u"]), sparse_threshold=1.0),
    "numbers as categories": columns((one_hot(), ["n"])),
    "rest passes": columns((one_hot(), ["t", "u"]), remainder="passthrough"),
    "columns by number": columns((one_hot(), [0, 1])),
    "frames": columns((one_hot(), ["t"]), (StandardScaler(), ["n"])).set_output(transform="pandas"),
}
REPLACED = {"unknown is ignored", "infrequent", "one infrequent category", "other order"}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_known_columns_are_encoded_the_same_and_others_are_left(name: str) -> None:
    transformer = TRANSFORMERS[name].fit(FRAME)
    quick = lean(transformer)
    assert (quick is not transformer) == (name in REPLACED)
    for rows in (FRAME, FRAME.assign(t="new", n=np.nan), FRAME.tail(1)):
        with warnings.catch_warnings(action="ignore", category=UserWarning):
            expected, actual = transformer.transform(rows), quick.transform(rows)
        if name != "sparse":
            np.testing.assert_array_equal(np.asarray(actual), np.asarray(expected))


@pytest.mark.parametrize(
    "model",
    [
        ExtraTreesClassifier(5, random_state=1),
        VotingClassifier(
            [("a", LogisticRegression()), ("b", RandomForestClassifier(3, random_state=1))],
            voting="soft",
            weights=[1, 3],
        ),
        VotingClassifier([("a", LogisticRegression())], voting="hard"),
        Pipeline([("scale", StandardScaler()), ("model", RandomForestClassifier(3, random_state=1))]),
        Pipeline([("scale", "passthrough"), ("model", RandomForestClassifier(3, random_state=1))]),
    ],
    ids=["extra trees", "weighted vote", "hard vote", "pipeline", "pipeline that passes through"],
)
def test_forests_votes_and_pipelines(model: Any) -> None:
    numbers = FRAME[["n"]].to_numpy()
    model.fit(numbers, CLASSES)
    method = "predict_proba" if hasattr(model, "predict_proba") else "predict"
    np.testing.assert_array_equal(getattr(lean(model), method)(numbers), getattr(model, method)(numbers))


def test_what_a_forest_refuses_is_refused() -> None:
    forest = RandomForestClassifier(3, random_state=1).fit(FRAME[["n"]].to_numpy(), CLASSES)
    for value in (np.inf, 1e300):
        with pytest.raises(ValueError, match="infinity or a value too large"), np.errstate(over="ignore"):
            lean(forest).predict_proba(np.array([[value]]))
