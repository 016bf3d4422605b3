"""Measures how the distribution of a number differs from the reference's, and adjusts p-values for their number.

The size is the Wasserstein distance, which a rescaling of tied values hardly changes, as it would change the population
stability index, whose bins end where values tie. The p-value is that of Kolmogorov and Smirnov's test. An alarm needs
both: a p-value alone finds tiny shifts in many rows, a size alone finds chance in few.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray


@dataclass(frozen=True)
class Difference:
    """How the distribution of a sample differs from the reference's.

    Attributes:
        distance: Wasserstein distance in standard deviations of the reference: the mean distance by which values moved.
        p_value: two-sample Kolmogorov-Smirnov test.
    """

    distance: float
    p_value: float


def difference(reference: NDArray[np.float64], sample: NDArray[np.float64]) -> Difference:
    """Compare two samples without missing values; both have values, and the reference's differ.

    Both measures come from the distance of the two distribution functions: the area between them, and its maximum.
    """
    values = np.sort(np.concatenate([reference, sample]))
    gap = np.abs(_shares(reference, values) - _shares(sample, values))
    distance = float((gap[:-1] * np.diff(values)).sum() / reference.std())
    effective = len(reference) * len(sample) / (len(reference) + len(sample))
    return Difference(distance, float(special.kolmogorov(np.sqrt(effective) * gap.max())))


def _shares(sample: NDArray[np.float64], values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the share of the sample that is at most each of ``values``."""
    return np.searchsorted(np.sort(sample), values, side="right") / len(sample)


def independent(values: NDArray[np.float64]) -> float:
    """Return the effective number of independent columns, for the adjustment of their tests.

    J. Li, L. Ji, Adjusting multiple testing in multilocus analyses using the eigenvalues of a correlation matrix,
    Heredity 95, 2005. Missing values count as the column's mean; columns with one value don't count.
    """
    filled = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    varying = filled[:, np.ptp(filled, axis=0) > 0]
    if not varying.size:
        return 1.0
    eigenvalues = np.abs(np.linalg.eigvalsh(np.atleast_2d(np.corrcoef(varying, rowvar=False))))
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
