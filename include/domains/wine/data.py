"""The wine measurements: eleven numbers and the grade that tasters gave.

P. Cortez, A. Cerdeira, F. Almeida, T. Matos, J. Reis, Modeling wine preferences by data mining from physicochemical
properties, Decision Support Systems 47(4):547-553, 2009, doi 10.1016/j.dss.2009.05.016.
"""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from include.core.ml.errors import DataError

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
        measurements: :data:`MEASUREMENTS`, one row a wine.
        grades: 0 (bad) to 10 (excellent).
        groups: the same number for wines with the same measurements: copies, of which a random split puts some on
            either side.
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
        DataError: naming the column or row that isn't as it must be.
    """
    table = pd.read_csv(io.BytesIO(csv), sep=";")
    wanted = [*MEASUREMENTS, GRADE]
    if list(table.columns) != wanted:
        raise DataError(f"{colour} wines: the columns are {list(table.columns)}; they must be {wanted}")
    numbers = table.apply(pd.to_numeric, errors="coerce")
    bad = numbers.isna().any(axis=1) | ~numbers[GRADE].isin(GRADES) | (numbers < 0).any(axis=1)
    if bad.any():
        line = int(np.flatnonzero(bad)[0])
        raise DataError(
            f"{colour} wines: {int(bad.sum())} row(s) hold no number, one below 0, or a grade beyond 0..10; the first"
            f" is line {line + 2}: {table.iloc[line].to_dict()}"
        )
    measurements = numbers[list(MEASUREMENTS)].astype(float)
    groups = measurements.groupby(list(MEASUREMENTS), sort=False).ngroup().to_numpy(np.int64)
    return Wines(colour, measurements, numbers[GRADE].to_numpy(np.int64), groups, hashlib.sha256(csv).hexdigest())
