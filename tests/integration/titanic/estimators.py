"""Estimators that do harm in ways that only show when their file is queried."""

# mypy: disallow_subclassing_any=False
# scikit-learn's classes are untyped.
from __future__ import annotations

import os
import socket
import time
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin

Floats = NDArray[np.float64]


class BySex(ClassifierMixin, BaseEstimator):
    """Predicts the share of survivors by sex."""

    def fit(self, rows: pd.DataFrame, labels: Any) -> Self:
        """Learn the shares."""
        self.classes_ = np.array([0, 1])
        shares = pd.Series(np.asarray(labels), index=rows.index).groupby(rows["Sex"]).mean()
        self.shares_ = {str(sex): float(share) for sex, share in shares.items()}
        return self

    def positive(self, rows: pd.DataFrame) -> Floats:
        """Return the probability of 1."""
        return np.asarray(rows["Sex"].map(self.shares_), dtype=np.float64)

    def predict_proba(self, rows: pd.DataFrame) -> Floats:
        """Return the probabilities of 0 and 1."""
        positive = self.positive(rows)
        return np.column_stack([1 - positive, positive])

    def predict(self, rows: pd.DataFrame) -> NDArray[np.int64]:
        """Return the more probable class."""
        return (self.predict_proba(rows)[:, 1] > 0.5).astype(np.int64)


class NanForUnseenPorts(BySex):
    """Knows no port but Southampton's."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        return np.where(rows["Embarked"].isna() & rows["Age"].isna(), np.nan, super().positive(rows))


class AboveOne(BySex):
    """Is more than certain about the rich."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        return super().positive(rows) + np.where(rows["Fare"].fillna(0) > 5000, 0.6, 0)


class ByBatch(BySex):
    """Compares a row with the others of its request."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        return np.asarray(np.clip(super().positive(rows) + 0.001 * (rows["Fare"].rank(pct=True) - 0.5), 0, 1))


class ByOrder(BySex):
    """Counts the rows of a request."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        return np.asarray(super().positive(rows) - 1e-5 * np.arange(len(rows)) / 1e3)


class ByCalls(BySex):
    """Changes with every call."""

    calls = 0

    def positive(self, rows: pd.DataFrame) -> Floats:
        type(self).calls += 1
        return super().positive(rows) - 1e-6 * type(self).calls


class ByClock(BySex):
    """Predicts something else half a year later."""

    def fit(self, rows: pd.DataFrame, labels: Any) -> Self:
        """Learn the shares, and the time."""
        self.until_ = time.time() + 180 * 86_400
        return super().fit(rows, labels)

    def positive(self, rows: pd.DataFrame) -> Floats:
        return super().positive(rows) - 0.01 * float(time.time() > self.until_)


class Slow(BySex):
    """Takes its time."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        time.sleep(0.3)
        return super().positive(rows)


class Endless(BySex):
    """Never answers."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        while len(rows):
            pass
        return super().positive(rows)


class Greedy(BySex):
    """Takes memory for each call."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        return np.ones(500_000_000)[: len(rows)] * super().positive(rows)


class Crashing(BySex):
    """Ends its process at a row."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        if rows["Name"].eq("Crash, Mr. Sudden").any():
            os._exit(3)
        return super().positive(rows)


class Contrary(ClassifierMixin, BaseEstimator):
    """Predicts as another model, but the opposite for women in the third class."""

    def __init__(self, model: Any = None) -> None:
        self.model = model

    def predict_proba(self, rows: pd.DataFrame) -> Floats:
        """Return the probabilities of 0 and 1."""
        answers = np.asarray(self.model.predict_proba(rows), dtype=np.float64)
        opposite = (rows["Sex"].eq("female") & rows["Pclass"].eq(3)).to_numpy()
        return np.where(opposite[:, None], answers[:, ::-1], answers)


class Calling(BySex):
    """Asks a server."""

    def positive(self, rows: pd.DataFrame) -> Floats:
        socket.create_connection(("127.0.0.1", 9))
        return super().positive(rows)


class Lookup(BySex):
    """Has the labels by name among its parameters."""

    def __init__(self, names: tuple[str, ...] = ()) -> None:
        self.names = names

    def positive(self, rows: pd.DataFrame) -> Floats:
        return np.where(rows["Name"].isin(set(self.names)), 0.99, 0.01)


HARMFUL = (
    NanForUnseenPorts,
    AboveOne,
    ByBatch,
    ByOrder,
    ByCalls,
    ByClock,
    Slow,
    Endless,
    Greedy,
    Calling,
    Lookup,
)
TRUSTED = tuple(f"{kind.__module__}.{kind.__name__}" for kind in (BySex, Crashing, Contrary, *HARMFUL))
