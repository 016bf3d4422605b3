"""Slices of the rows: the spec's segments, every value of what the drift checks watch, and every pair of both."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from include.core.ml.spec import ModelSpec

SEGMENT = "segment"
MISSING, OTHER = "missing", "other"
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True)
class Slice:
    """Some of the rows.

    Attributes:
        name: what they have in common, such as ``female-1`` or ``Age ≥ 54, Embarked = S``.
        rows: whether each row is one of them.
        declared: whether it is one of the spec's segments.
    """

    name: str
    rows: NDArray[np.bool_]
    declared: bool


class Slicer:
    """Names the slices of any rows by what it has learned from some.

    Numbers are split at the learned rows' quantiles, the outermost of which are 5 and 95 %; values with fewer than
    ``minimum`` rows are pooled.
    """

    def __init__(self, spec: ModelSpec, rows: pd.DataFrame, minimum: int) -> None:
        self._spec, self._minimum = spec, minimum
        derived = spec.derive(rows)
        self._edges: dict[str, NDArray[np.float64]] = {
            name: np.unique(np.quantile(derived[name].dropna(), QUANTILES))
            if derived[name].notna().any()
            else np.empty(0)
            for name in spec.watched.numbers
        }
        self._common = {
            name: {value for value, count in values.value_counts().items() if count >= minimum}
            for name, values in self._named(rows).items()
        }

    def slices(self, rows: pd.DataFrame) -> list[Slice]:
        """Return every slice of at least ``minimum`` rows, each set of rows once, the spec's segments first."""
        singles: list[Slice] = []
        columns: list[list[Slice]] = []
        for name, values in self._named(rows).items():
            pooled = values.where(values.isin(self._common[str(name)]), OTHER)
            column = [
                Slice(
                    value if name == SEGMENT and value != OTHER else _title(str(name), value),
                    pooled.eq(value).to_numpy(),
                    name == SEGMENT,
                )
                for value in sorted(pooled.unique())
            ]
            columns.append(column)
            singles += column
        return list(self._distinct([*singles, *_pairs(columns)]))

    def _distinct(self, slices: list[Slice]) -> Iterator[Slice]:
        seen: set[bytes] = set()
        for part in slices:
            key = np.packbits(part.rows).tobytes()
            if part.rows.sum() >= self._minimum and key not in seen:
                seen.add(key)
                yield part

    def _named(self, rows: pd.DataFrame) -> dict[str, pd.Series[str]]:
        derived = self._spec.derive(rows)
        named = {SEGMENT: self._spec.segment(rows).astype(str)}
        for name in self._spec.watched.categories:
            named[name] = derived[name].astype(str)
        for name, edges in self._edges.items():
            named[name] = _binned(derived[name], edges)
        return named


def _pairs(columns: list[list[Slice]]) -> Iterator[Slice]:
    for first, second in combinations(columns, 2):
        for one in first:
            for other in second:
                yield Slice(f"{one.name}, {other.name}", one.rows & other.rows, declared=False)


def _binned(values: pd.Series[float], edges: NDArray[np.float64]) -> pd.Series[str]:
    if not len(edges):
        return values.notna().map({True: "any", False: MISSING})
    names = [f"< {edges[0]:g}", *(f"{low:g} to {high:g}" for low, high in pairwise(edges))]
    names.append(f"≥ {edges[-1]:g}")
    bins = pd.Series(np.searchsorted(edges, values, side="right"), index=values.index)
    return bins.map(dict(enumerate(names))).where(values.notna(), MISSING)


def _title(name: str, value: str) -> str:
    return f"{name} {value}" if value[0] in "<≥" else f"{name} = {value}"
