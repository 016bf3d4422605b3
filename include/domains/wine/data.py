"""Reads the wine data: eleven measurements and a grade by tasters for each wine.

P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis, Modeling wine preferences by data mining from physicochemical
properties, Decision Support Systems 47(4):547-553, 2009, doi 10.1016/j.dss.2009.05.016.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from include.core.ml.errors import DataError
from include.core.ml.tables import read_csv

if TYPE_CHECKING:
    from numpy.typing import NDArray

MEASUREMENTS = (
    "fixed acidity",
    "volatile acidity",
    "citric acid",
    "residual sugar",
    "chlorides",
    "free sulfur dioxide",
    "total sulfur dioxide",
    "density",
    "pH",
    "sulphates",
    "alcohol",
)
GRADE = "quality"
GRADES = range(11)
COLOURS = ("red", "white")


@dataclass(frozen=True)
class Wines:
    """The wines of one colour.

    Attributes:
        colour: red or white.
        measurements: :data:`MEASUREMENTS`, one row per wine.
        grades: 0 (bad) to 10 (excellent).
        groups: equal for wines with equal measurements (copies), which a random split would put on both sides.
        digest: SHA-256 of the file.
    """

    colour: str
    measurements: pd.DataFrame
    grades: NDArray[np.int64]
    groups: NDArray[np.int64]
    digest: str

    @property
    def copies(self) -> int:
        """Rows that repeat the measurements of an earlier one."""
        return len(self.groups) - len(np.unique(self.groups))


def read(csv: bytes, colour: str) -> Wines:
    """Return the wines of a semicolon-separated file.

    Raises:
        DataError: naming the invalid columns or the first invalid line.
    """
    table = read_csv(csv, f"{colour} wines", ";")
    expected = [*MEASUREMENTS, GRADE]
    if list(table.columns) != expected:
        raise DataError(f"{colour} wines: the columns are {list(table.columns)}; expected: {expected}")
    numbers = table.apply(pd.to_numeric, errors="coerce")
    invalid = ~np.isfinite(numbers).all(axis=1) | ~numbers[GRADE].isin(GRADES) | (numbers < 0).any(axis=1)
    if invalid.any():
        line = invalid.idxmax()
        raise DataError(
            f"{colour} wines: {int(invalid.sum())} row(s) have a missing, infinite or negative number or a grade"
            f" outside 0..10; the first is line {line}: {table.loc[line].to_dict()}"
        )
    measurements = numbers[list(MEASUREMENTS)].astype(float).reset_index(drop=True)
    groups = measurements.groupby(list(MEASUREMENTS), sort=False).ngroup().to_numpy(np.int64)
    return Wines(colour, measurements, numbers[GRADE].to_numpy(np.int64), groups, hashlib.sha256(csv).hexdigest())
