"""Measures the shift of a sample from a reference: an effect size (PSI) and its significance (a p-value).

Either alone gives false alarms: PSI grows as samples shrink, and a p-value detects tiny shifts in a large sample. A
feature has drifted only if both say so, with the p-values of a run adjusted for their number (Holm's method).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

BINS = 5
FLOOR = 0.5  # rows assumed in an empty bin, so that its logarithm is defined


@dataclass(frozen=True)
class Shift:
    """How a sample differs from the reference.

    Attributes:
        psi: population stability index, 0 for equal shares; 0.1 to 0.25 is usually called a moderate shift.
        distance: largest distance of the two distribution functions (numbers, Kolmogorov-Smirnov), or half the sum of
            the differences of shares (categories, total variation); 0 to 1.
        p_value: probability of such a difference by chance; two-sample Kolmogorov-Smirnov test for numbers, chi-square
            test of homogeneity for categories.
    """

    psi: float
    distance: float
    p_value: float


def numeric_shift(reference: pd.Series[float], sample: pd.Series[float]) -> Shift:
    """Compare numbers; missing values are ignored, since their rate is compared separately.

    PSI's bins are the reference's quintiles. A sample or reference without values gives no shift.
    """
    old, new = reference.dropna().to_numpy(float), sample.dropna().to_numpy(float)
    if not len(old) or not len(new):
        return Shift(0.0, 0.0, 1.0)
    edges = np.unique(np.quantile(old, np.linspace(0, 1, BINS + 1)[1:-1]))
    before, now = (_counts(values, edges) for values in (old, new))
    test = stats.ks_2samp(old, new, method="asymp")
    return Shift(psi(before, now), float(test.statistic), float(test.pvalue))


def _counts(values: NDArray[Any], edges: NDArray[Any]) -> NDArray[Any]:
    """Return the number of values in each bin between ``edges``, and beyond them."""
    bins = np.searchsorted(edges, values, side="right")
    return np.array([(bins == index).sum() for index in range(len(edges) + 1)], dtype=np.float64)


def categorical_shift(reference: pd.Series[str], sample: pd.Series[str]) -> Shift:
    """Compare categories, including those that occur on one side only; missing values are ignored."""
    old, new = reference.dropna().astype(str), sample.dropna().astype(str)
    names = sorted(set(old) | set(new))
    if not len(old) or not len(new) or len(names) < 2:
        return Shift(0.0, 0.0, 1.0)
    counts = [values.value_counts().reindex(names, fill_value=0).to_numpy(float) for values in (old, new)]
    shares = [count / count.sum() for count in counts]
    p_value = float(stats.chi2_contingency(np.array(counts), correction=False).pvalue)
    return Shift(psi(*counts), float(np.abs(shares[0] - shares[1]).sum() / 2), p_value)


def rate_shift(reference: pd.Series[bool], sample: pd.Series[bool]) -> Shift:
    """Compare the rates of an event, such as a missing value, by Fisher's exact test; ``psi`` is that of the rates."""
    old, new = reference.astype(bool), sample.astype(bool)
    if not len(old) or not len(new):
        return Shift(0.0, 0.0, 1.0)
    table = np.array([[old.sum(), (~old).sum()], [new.sum(), (~new).sum()]], dtype=float)
    p_value = float(stats.fisher_exact(table.astype(int)).pvalue)
    return Shift(psi(table[0], table[1]), abs(float(old.mean() - new.mean())), p_value)


def psi(reference: NDArray[Any], sample: NDArray[Any]) -> float:
    """Return the population stability index of two vectors of counts by bin.

    PSI = sum over bins of (q - p) ln(q / p), with shares p of the reference and q of the sample; the symmetrised
    Kullback-Leibler divergence (B. Yurdakul, Statistical properties of population stability index, Western Michigan
    University, 2018). Two equal populations give about (bins - 1)(1/n + 1/m) by chance; that is subtracted, so that
    small samples don't appear shifted.
    """
    p, q = (np.maximum(counts, FLOOR) / np.maximum(counts, FLOOR).sum() for counts in (reference, sample))
    raw = float(((q - p) * np.log(q / p)).sum())
    chance = float((len(reference) - 1) * (1 / reference.sum() + 1 / sample.sum()))
    return max(0.0, raw - chance)


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
