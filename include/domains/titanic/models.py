"""The candidates and baselines: estimators that predict the probability of survival from raw passengers."""

# mypy: disallow_subclassing_any=False
# scikit-learn's classes are untyped.
from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from include.domains.titanic.features import CATEGORIES, NUMBERS, PassengerFeatures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Self

    from numpy.typing import NDArray

SEED = 42

TRUSTED_TYPES = (
    "include.domains.titanic.features.PassengerFeatures",
    "include.domains.titanic.models.ArticleFeatures",
    "include.domains.titanic.models.GenderRule",
    "numpy.dtype",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
    "sklearn.tree._tree.Tree",
    "sklearn.utils._bunch.Bunch",
)
"""Types that a model file may contain beyond skops' defaults: our classes and scikit-learn's trees, no functions."""


class GenderRule(ClassifierMixin, BaseEstimator):
    """Predicts by sex, with the shares of survivors in the training fold: women survive, men don't."""

    def fit(self, passengers: pd.DataFrame, labels: Sequence[int]) -> Self:
        """Learn the share of survivors by sex."""
        survived = pd.Series(np.asarray(labels), index=passengers.index)
        self.classes_ = np.array([0, 1])
        self.shares_ = {str(sex): float(share) for sex, share in survived.groupby(passengers["Sex"]).mean().items()}
        return self

    def predict_proba(self, passengers: pd.DataFrame) -> NDArray[np.float64]:
        """Return P(died) and P(survived), one row per passenger."""
        survived = passengers["Sex"].map(self.shares_).to_numpy(float)
        return np.column_stack([1 - survived, survived])

    def predict(self, passengers: pd.DataFrame) -> NDArray[np.int64]:
        """Return 1 for passengers who are more likely to survive than not."""
        return (self.predict_proba(passengers)[:, 1] > 0.5).astype(np.int64)


class ArticleFeatures(TransformerMixin, BaseEstimator):
    """The seven features of the reference article, filled with medians and mode of the training fold."""

    def fit(self, passengers: pd.DataFrame, y: Any = None) -> Self:
        """Learn the medians and the mode."""
        del y
        self.age_ = float(passengers["Age"].median())
        self.fare_ = float(passengers["Fare"].median())
        self.embarked_ = str(passengers["Embarked"].mode()[0])
        return self

    def transform(self, passengers: pd.DataFrame) -> pd.DataFrame:
        """Return Pclass, Sex, Age, Fare, Embarked, FamilySize and IsAlone as numbers."""
        family = passengers["SibSp"] + passengers["Parch"] + 1
        return pd.DataFrame(
            {
                "Pclass": passengers["Pclass"],
                "Sex": passengers["Sex"].map({"male": 0, "female": 1}),
                "Age": passengers["Age"].fillna(self.age_),
                "Fare": passengers["Fare"].fillna(self.fare_),
                "Embarked": passengers["Embarked"].fillna(self.embarked_).map({"S": 0, "C": 1, "Q": 2}),
                "FamilySize": family,
                "IsAlone": family.eq(1).astype(int),
            }
        )


def article_recipe() -> Pipeline:
    """Return the article's recipe: a forest of 100 full-grown trees on seven features."""
    return Pipeline([("features", ArticleFeatures()), ("model", RandomForestClassifier(100, random_state=SEED))])


def logistic_regression() -> Pipeline:
    """Return a regularised logistic regression on the engineered features."""
    return _engineered(LogisticRegression(C=0.3, max_iter=1000))


def soft_vote() -> Pipeline:
    """Return the mean probability of a logistic regression, a pruned forest and small boosted trees."""
    return _engineered(
        VotingClassifier(
            [
                ("linear", LogisticRegression(C=0.3, max_iter=1000)),
                ("forest", RandomForestClassifier(100, min_samples_leaf=3, random_state=SEED)),
                (
                    "boosting",
                    HistGradientBoostingClassifier(
                        learning_rate=0.05, max_iter=100, max_leaf_nodes=8, l2_regularization=1.0, random_state=SEED
                    ),
                ),
            ],
            voting="soft",
        )
    )


def _engineered(model: BaseEstimator) -> Pipeline:
    columns = ColumnTransformer(
        [
            (
                "categories",
                OneHotEncoder(min_frequency=5, handle_unknown="infrequent_if_exist", sparse_output=False),
                list(CATEGORIES),
            ),
            ("numbers", StandardScaler(), list(NUMBERS)),
        ]
    )
    return Pipeline([("features", PassengerFeatures()), ("columns", columns), ("model", model)])


BASELINES: dict[str, Callable[[], Any]] = {"gender_rule": GenderRule, "article_recipe": article_recipe}
CANDIDATES: dict[str, Callable[[], Any]] = {"logistic_regression": logistic_regression, "soft_vote": soft_vote}
MODELS = BASELINES | CANDIDATES
