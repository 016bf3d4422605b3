"""Measures how the distribution of a number differs from the reference's, and adjusts p-values for their number.

Neither measure hangs on where values tie, as the population stability index does, whose bins end there: a fare that a
third of the rows have counts as moved as far as it moved.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """How the distribution of a sample differs from the reference's.

    Attributes:
        distance: Wasserstein distance in standard deviations of the reference: the mean distance by which values moved.
        p_value: two-sample Kolmogorov-Smirnov test, in which every value may have moved by a tolerance.
    """

    distance: float
    p_value: float


def difference(reference: NDArray[np.float64], sample: NDArray[np.float64], tolerance: float) -> Difference:
    """Compare two samples without missing values; both have values, and the reference's differ.

    The test's statistic is the largest amount by which one distribution function exceeds the other when that is shifted
    by the ``tolerance``, in standard deviations of the reference (as in the Levy distance; P. Huber, E. Ronchetti,
    Robust Statistics, 2009, section 2.3). Without it, a change of all prices by a per cent, which breaks their ties,
    would be found like a large one.
    """
    old, new, sd = np.sort(reference), np.sort(sample), reference.std()
    distance = stats.wasserstein_distance(old, new) / sd
    gap = max(_excess(old, new, tolerance * sd), _excess(new, old, tolerance * sd))
    effective = len(old) * len(new) / (len(old) + len(new))
    return Difference(float(distance), float(special.kolmogorov(np.sqrt(effective) * gap)))


def _excess(values: NDArray[np.float64], others: NDArray[np.float64], tolerance: float) -> float:
    """Return by how much the distribution function of sorted ``values`` exceeds that of the others, shifted back."""
    own = np.searchsorted(values, values, side="right") / len(values)
    shifted = np.searchsorted(others, values + tolerance, side="right") / len(others)
    return max(0.0, float((own - shifted).max()))


def independent(values: NDArray[np.float64]) -> float:
    """Return the effective number of independent columns, for the adjustment of their tests.

    J. Li, L. Ji, Adjusting multiple testing in multilocus analyses using the eigenvalues of a correlation matrix,
    Heredity 95, 2005. Missing values count as the column's mean; columns with one value don't count.
    """
    filled = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    varying = filled[:, np.ptp(filled, axis=0) > 0]
    if not varying.size:
        return 1.0
    eigenvalues = np.round(np.linalg.eigvalsh(np.atleast_2d(np.corrcoef(varying, rowvar=False))), 9)
    return float(((eigenvalues >= 1) + eigenvalues % 1).sum())


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number.

    The family-wise error rate is controlled under any dependence (S. Holm, A simple sequentially rejective multiple
    test procedure, Scandinavian Journal of Statistics 6, 1979).
    """
    count = len(p_values)
    adjusted = [0.0] * count
    largest = 0.0
    for rank, index in enumerate(sorted(range(count), key=lambda index: p_values[index])):
        largest = max(largest, min(1.0, (count - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
