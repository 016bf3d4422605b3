"""Estimators for tables of texts and numbers, without code of their own; each predicts from raw rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

SEED = 42
MISSING = "missing"
TRUSTED_TYPES = ("numpy.dtype", "sklearn.tree._tree.Tree")
"""Types that a file of these models may contain beyond skops' defaults."""


def estimators(categories: Sequence[str], numbers: Sequence[str]) -> dict[str, Callable[[], Any]]:
    """Return factories of classifiers by name, for the named columns of texts and of numbers.

    ``constant`` always answers with the share of the training fold; the others are a regularised logistic regression
    and a forest. Missing numbers become the training fold's median, and a column more says where; texts with fewer
    than five rows are pooled.
    """
    return {
        "constant": lambda: DummyClassifier(strategy="prior"),
        "logistic_regression": lambda: _on(categories, numbers, LogisticRegression(C=0.3, max_iter=1000)),
        "forest": lambda: _on(categories, numbers, RandomForestClassifier(100, min_samples_leaf=3, random_state=SEED)),
    }


def derive(rows: pd.DataFrame, categories: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """Return the named columns: texts, with :data:`MISSING` for what is missing, and numbers as float."""
    texts = rows[list(categories)].astype(object)
    return pd.concat([texts.where(texts.notna(), MISSING).astype("str"), rows[list(numbers)].astype(float)], axis=1)


def segment(rows: pd.DataFrame, column: str) -> pd.Series[str]:
    """Return each row's value of a column of texts, or :data:`MISSING`; all rows are one segment without a column."""
    if not column:
        return pd.Series("rows", index=rows.index, dtype="str")
    return derive(rows, [column], [])[column]


def _on(categories: Sequence[str], numbers: Sequence[str], model: Any) -> Pipeline:
    encode = OneHotEncoder(min_frequency=5, handle_unknown="infrequent_if_exist", sparse_output=False)
    fill = SimpleImputer(strategy="median", add_indicator=True)
    columns = ColumnTransformer(
        [
            ("categories", encode, list(categories)),
            ("numbers", Pipeline([("fill", fill), ("scale", StandardScaler())]), list(numbers)),
        ]
    )
    return Pipeline([("columns", columns), ("model", model)])
