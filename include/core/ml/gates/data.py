"""Rules about a training list: is it large enough, and is it a later state of what the champion learned from?"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from include.core.ml.errors import DataError
from include.core.ml.gates.rule import Rule

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from include.core.ml.slices import Slicer
    from include.core.ml.spec import ModelSpec

CHANCE = 0.001
DISTANCE = 0.15  # Kolmogorov-Smirnov, or the difference of two shares
CONTRADICTIONS = 0.01
DIGITS = 3


def require_trainable(spec: ModelSpec, table: pd.DataFrame, splits: int) -> None:
    """Check that a model can be trained on a list and judged by ``splits`` folds.

    Raises:
        DataError: naming the column and the reason.
    """
    if missing := [name for name in (*spec.columns, spec.label) if name not in table]:
        raise DataError(f"{spec.rows_name}: no column {', '.join(map(repr, missing))}")
    for name in spec.columns:
        if (count := int(table[name].notna().sum())) < splits:
            raise DataError(
                f"{spec.rows_name}: column {name!r} has a value in {count} row(s); at least {splits} are needed,"
                " one for each fold"
            )
    numbers = groups(table[spec.columns])
    for label in (0, 1):
        count = len(np.unique(numbers[table[spec.label].to_numpy() == label]))
        if count < splits:
            raise DataError(
                f"{spec.rows_name}: {count} different row(s) have {spec.label} = {label}; at least {splits} are needed,"
                " one for each fold"
            )


def groups(rows: pd.DataFrame) -> NDArray[np.int64]:
    """Return a number for each row, equal for copies and near-copies.

    Their texts are equal but for case, blanks and punctuation, their numbers in three digits.
    """
    normal = pd.DataFrame({name: _normal(rows[name]) for name in rows})
    return normal.groupby(list(normal), dropna=False, sort=False).ngroup().to_numpy().astype(np.int64)


def copies(spec: ModelSpec, numbers: NDArray[np.int64]) -> Rule:
    """Return the rule about rows that are copies of others."""
    share = 1 - len(np.unique(numbers)) / len(numbers)
    limit = spec.thresholds().copies
    return Rule(
        name="copies",
        passed=share <= limit,
        details=f"{share:.1%} of the {spec.rows_name} are copies of others; at most {limit:.0%} are allowed",
    )


def against(
    spec: ModelSpec,
    rows: pd.DataFrame,
    labels: NDArray[np.int64],
    before: pd.DataFrame,
    labels_before: NDArray[np.int64],
    slicer: Slicer,
    name: str,
) -> Iterator[Rule]:
    """Yield what has changed since the champion was trained on the rows ``before``."""
    yield _contradictions(spec, rows, labels, before, labels_before, name)
    yield from _segments(spec, rows, before, name)
    for column in spec.columns:
        yield from _column(rows[column], before[column], name)
    yield from _labels(spec, slicer, rows, labels, before, labels_before, name)


def _contradictions(
    spec: ModelSpec,
    rows: pd.DataFrame,
    labels: NDArray[np.int64],
    before: pd.DataFrame,
    labels_before: NDArray[np.int64],
    name: str,
) -> Rule:
    numbers = groups(pd.concat([rows, before], ignore_index=True))
    now = pd.Series(labels).groupby(numbers[: len(rows)]).mean()
    then = pd.Series(labels_before).groupby(numbers[len(rows) :]).mean()
    shared = now.index.intersection(then.index)
    changed = int((now[shared] != then[shared]).sum())
    allowed = int(CONTRADICTIONS * len(shared))
    return Rule(
        name="changed labels",
        passed=changed <= allowed,
        details=f"of {len(shared)} {spec.rows_name} that {name} learned from too, {changed} have another"
        f" {spec.label} now; at most {allowed} are allowed",
    )


def _segments(spec: ModelSpec, rows: pd.DataFrame, before: pd.DataFrame, name: str) -> Iterator[Rule]:
    now, then = (spec.segment(table).astype(str) for table in (rows, before))
    for segment in sorted(set(then) | set(now)):
        counts = [[int(names.eq(segment).sum()), int(names.ne(segment).sum())] for names in (now, then)]
        shares = [count / (count + others) for count, others in counts]
        p_value = float(stats.fisher_exact(counts).pvalue)
        ratio = min(shares) / max(shares)
        yield Rule(
            name=f"share of {segment}",
            passed=p_value >= CHANCE or ratio >= 0.5,
            details=f"{shares[0]:.1%} of the {spec.rows_name}, {shares[1]:.1%} when {name} was trained: p ="
            f" {p_value:.2g} (Fisher's exact test); less than half or more than twice with p < {CHANCE} is refused",
        )


def _column(values: pd.Series, before: pd.Series, name: str) -> Iterator[Rule]:
    missing = [float(column.isna().mean()) for column in (values, before)]
    if max(missing) > 0:
        yield Rule(
            name=f"missing {values.name}",
            passed=abs(missing[0] - missing[1]) <= DISTANCE,
            details=f"{missing[0]:.0%} are missing, {missing[1]:.0%} when {name} was trained; a difference of at most"
            f" {DISTANCE:.0%} is allowed",
        )
    if pd.api.types.is_numeric_dtype(values) and values.notna().any() and before.notna().any():
        test = stats.ks_2samp(values.dropna(), before.dropna(), method="asymp")
        medians = [float(column.median()) for column in (values, before)]
        yield Rule(
            name=f"range of {values.name}",
            passed=not (test.statistic > DISTANCE and test.pvalue < CHANCE),
            details=f"median {medians[0]:g}, {medians[1]:g} when {name} was trained: distance {test.statistic:.2f}"
            f" (Kolmogorov-Smirnov), p = {test.pvalue:.2g}; more than {DISTANCE} with p < {CHANCE} is refused. Has the"
            " unit changed?",
        )


def _labels(
    spec: ModelSpec,
    slicer: Slicer,
    rows: pd.DataFrame,
    labels: NDArray[np.int64],
    before: pd.DataFrame,
    labels_before: NDArray[np.int64],
    name: str,
) -> Iterator[Rule]:
    then = {part.name: labels_before[part.rows] for part in slicer.slices(before)}
    pairs = [(part, labels[part.rows], then[part.name]) for part in slicer.slices(rows) if part.name in then]
    level = CHANCE / max(1, len(pairs))
    counts = np.array([[new.sum(), len(new), old.sum(), len(old)] for _, new, old in pairs], dtype=np.int64)
    for (part, new, old), p_value in zip(pairs, _shares_differ(*counts.T), strict=True):
        if part.declared or p_value < level:
            yield Rule(
                name=f"labels {part.name}",
                passed=p_value >= level,
                details=f"{new.mean():.0%} of {len(new)} {spec.positive}, {old.mean():.0%} of {len(old)} when {name}"
                f" was trained: p = {p_value:.2g} (Fisher's exact test); p < {level:.2g} is refused",
            )


def _shares_differ(
    ones: NDArray[np.int64], rows: NDArray[np.int64], others: NDArray[np.int64], other_rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the p-values of Fisher's exact test, as twice the smaller of the one-sided ones, for many tables."""
    null = stats.hypergeom(rows + other_rows, ones + others, rows)
    p_values: NDArray[np.float64] = np.minimum(1, 2 * np.minimum(null.cdf(ones), null.sf(ones - 1)))
    return p_values


def _normal(values: pd.Series) -> pd.Series:
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.to_numpy(float)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 10.0 ** (DIGITS - 1 - np.floor(np.log10(np.abs(numbers))))
            rounded = np.where(numbers == 0, 0, np.round(numbers * scale) / scale)
        return pd.Series(rounded, index=values.index)
    return values.astype("str").str.casefold().str.replace(r"[\W_]+", "", regex=True)
