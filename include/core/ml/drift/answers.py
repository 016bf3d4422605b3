"""Sets aside answers that can't be judged, and says what they are, so that the others can."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

CHANCE = 1e-6


def impossible(probabilities: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return which answers are no probability: NaN, missing, or outside 0 to 1."""
    possible: NDArray[np.bool_] = (probabilities >= 0) & (probabilities <= 1)
    return ~possible


def repeated(reference: pd.DataFrame, rows: pd.DataFrame) -> Iterator[NDArray[np.intp]]:
    """Yield the positions of each row that occurs more often than its share of the reference rows explains.

    A row that the reference lacks is expected as often as one that it has once.
    """
    known = pd.util.hash_pandas_object(reference, index=False).value_counts()
    hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    distinct, inverse, counts = np.unique(hashes, return_inverse=True, return_counts=True)
    expected = (known.reindex(distinct, fill_value=0).to_numpy() + 1) / (len(reference) + 1)
    chance = stats.binom.sf(counts - 1, len(rows), np.minimum(expected, 1))
    for index in np.flatnonzero((counts > 1) & (chance < CHANCE / max(1, len(distinct)))):
        yield np.flatnonzero(inverse == index)
