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

    Lists are faster than pandas' methods for a request's few rows, and fast enough for a training's.

    A missing port or deck becomes :data:`UNKNOWN`; a missing age or fare remains NaN.
    """
    return pd.DataFrame(_derived(passengers), index=passengers.index)


def _derived(passengers: pd.DataFrame) -> dict[str, Any]:
    sibsp, parch, fare, age = (passengers[name].to_numpy(np.float64) for name in ("SibSp", "Parch", "Fare", "Age"))
    cabins, family = passengers["Cabin"].tolist(), sibsp + parch + 1
    texts = {
        "Title": [_title(name) for name in passengers["Name"].tolist()],
        "Sex": [str(sex) for sex in passengers["Sex"].tolist()],
        "Pclass": [str(number) for number in passengers["Pclass"].tolist()],
        "Embarked": [port if isinstance(port, str) else UNKNOWN for port in passengers["Embarked"].tolist()],
        "Deck": [cabin[0] if isinstance(cabin, str) and cabin else UNKNOWN for cabin in cabins],
    }
    return {
        **{name: pd.array(values, "str") for name, values in texts.items()},
        "HasCabin": np.array([isinstance(cabin, str) for cabin in cabins], np.float64),
        "FamilySize": family,
        "IsAlone": (family == 1).astype(np.float64),
        "SibSp": sibsp,
        "Parch": parch,
        "LogFare": np.log1p(fare),
        "Age": age,
    }


def _title(name: str) -> str:
    title, dot, _ = name.partition(",")[2].partition(".")
    return TITLES.get(title.strip(), RARE) if dot else RARE


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
        derived = _derived(passengers)
        ages, fares = derived["Age"], derived["LogFare"]
        usual = np.array([self.ages_.get(title, np.nan) for title in derived["Title"].tolist()])
        ages = np.where(np.isnan(ages), usual, ages)
        derived["Age"] = np.where(np.isnan(ages), self.age_, ages)
        derived["LogFare"] = np.where(np.isnan(fares), self.log_fare_, fares)
        return pd.DataFrame(derived, index=passengers.index)
