"""The features of a row; a fold's statistics come from that fold only."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from devstack.state import REPOSITORY
from include.domains.titanic.features import CATEGORIES, NUMBERS, PassengerFeatures, derive, segment
from include.domains.titanic.models import MODELS
from include.domains.titanic.passengers import COLUMNS, LABEL, PASSENGER_LIST

TABLE = PASSENGER_LIST.read((REPOSITORY / "include/data/titanic/train.csv").read_bytes())
ROWS = TABLE[list(COLUMNS)]


def test_a_row_gives_its_own_features() -> None:
    kelly = ROWS.iloc[[0]].assign(Name="Kelly, the Countess. of (Jane)", SibSp=1, Parch=2, Cabin="C85 C87", Fare=np.nan)
    features = derive(kelly).iloc[0]
    assert (features["Title"], features["Deck"], features["FamilySize"], features["IsAlone"]) == ("Rare", "C", 4.0, 0.0)
    assert np.isnan(features["LogFare"])
    assert segment(kelly).tolist() == ["male-3"]


def test_titles_of_the_passenger_list() -> None:
    assert derive(ROWS)["Title"].value_counts().to_dict() == {
        "Mr": 517, "Miss": 185, "Mrs": 126, "Master": 40, "Rare": 23
    }  # fmt: skip


def test_nothing_is_learned_from_rows_outside_the_training_set() -> None:
    train, test = ROWS.iloc[:600], ROWS.iloc[600:]
    fitted = PassengerFeatures().fit(train)
    alone = fitted.transform(test.iloc[[5]])
    together = fitted.transform(test.assign(Age=test["Age"] + 50)).iloc[[5]]
    assert fitted.ages_ == PassengerFeatures().fit(train).ages_
    pd.testing.assert_frame_equal(alone.drop(columns="Age"), together.drop(columns="Age"))
    assert list(alone) == [*CATEGORIES, *NUMBERS]
    assert not fitted.transform(test).isna().any(axis=None)


@pytest.mark.parametrize("name", MODELS)
def test_every_model_accepts_passengers_with_all_optional_values_missing(name: str) -> None:
    model = MODELS[name]().fit(ROWS, TABLE[LABEL].to_numpy())
    before = ROWS.copy()
    bare = ROWS.head(3).assign(Age=np.nan, Fare=np.nan, Cabin=np.nan, Embarked=np.nan)
    bare = bare.astype({"Cabin": "str", "Embarked": "str"})
    probabilities = model.predict_proba(bare)
    assert np.isfinite(probabilities).all()
    pd.testing.assert_frame_equal(ROWS, before)  # the input is unchanged
