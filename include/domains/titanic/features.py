"""Feature engineering for passengers; all statistics are learned from the training fold only."""

# mypy: disallow_subclassing_any=False
# scikit-learn's classes are untyped.
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

if TYPE_CHECKING:
    from typing import Any, Self

TITLES = {
    "Mr": "Mr",
    "Mrs": "Mrs",
    "Mme": "Mrs",
    "Miss": "Miss",
    "Mlle": "Miss",
    "Ms": "Miss",
    "Master": "Master",
}
RARE = "Rare"
UNKNOWN = "Unknown"

CATEGORIES = ("Title", "Sex", "Pclass", "Embarked", "Deck")
NUMBERS = ("HasCabin", "FamilySize", "IsAlone", "SibSp", "Parch", "LogFare", "Age")


def derive(passengers: pd.DataFrame) -> pd.DataFrame:
    """Return :data:`CATEGORIES` (text) and :data:`NUMBERS` (float), derived row by row.

    A missing port or deck becomes :data:`UNKNOWN`; a missing age or fare remains NaN.
    """
    title = passengers["Name"].str.extract(r",\s*([^.]+)\.", expand=False).str.strip()
    family = passengers["SibSp"] + passengers["Parch"] + 1
    return pd.DataFrame(
        {
            "Title": title.map(TITLES).fillna(RARE).astype(str),
            "Sex": passengers["Sex"].astype(str),
            "Pclass": passengers["Pclass"].astype(str),
            "Embarked": passengers["Embarked"].fillna(UNKNOWN).astype(str),
            "Deck": passengers["Cabin"].str[0].fillna(UNKNOWN).astype(str),
            "HasCabin": passengers["Cabin"].notna().astype(float),
            "FamilySize": family.astype(float),
            "IsAlone": family.eq(1).astype(float),
            "SibSp": passengers["SibSp"].astype(float),
            "Parch": passengers["Parch"].astype(float),
            "LogFare": np.log1p(passengers["Fare"].astype(float)),
            "Age": passengers["Age"].astype(float),
        },
        index=passengers.index,
    )


def segment(passengers: pd.DataFrame) -> pd.Series[str]:
    """Return each passenger's segment, sex and class, such as ``female-3``."""
    return passengers["Sex"].astype(str) + "-" + passengers["Pclass"].astype(str)


class PassengerFeatures(TransformerMixin, BaseEstimator):
    """:func:`derive`, then fill missing ages with the training fold's median by title, and fares with its median.

    Attributes:
        ages_: median age by title, in years.
        age_: overall median age, for titles without an age in the training fold.
        log_fare_: median of the logarithm of the fare plus one.
    """

    def fit(self, passengers: pd.DataFrame, y: Any = None) -> Self:
        """Learn the medians from the training fold."""
        del y
        derived = derive(passengers)
        self.ages_ = {str(title): float(age) for title, age in derived.groupby("Title")["Age"].median().items()}
        self.age_ = float(derived["Age"].median())
        self.log_fare_ = float(derived["LogFare"].median())
        return self

    def transform(self, passengers: pd.DataFrame) -> pd.DataFrame:
        """Return the features, without missing values."""
        derived = derive(passengers)
        derived["Age"] = derived["Age"].fillna(derived["Title"].map(self.ages_)).fillna(self.age_)
        derived["LogFare"] = derived["LogFare"].fillna(self.log_fare_)
        return derived
