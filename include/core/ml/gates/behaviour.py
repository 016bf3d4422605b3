"""Rules about the answers, the speed and the size of a fitted model, as :func:`…sandbox.jobs.examine` found them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel

from include.core.ml.gates.rule import Rule
from include.core.ml.sandbox.jobs import ALONE

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    from numpy.typing import NDArray

    from include.core.ml.sandbox.content import Content
    from include.core.ml.spec import Thresholds

TOLERANCE = 1e-9
REFIT_TOLERANCE = 1e-6
MIB = 1024 * 1024
WAYS = {
    "shuffled": "in another order",
    "again": "after other calls",
    "elsewhere": "in another process, at another time",
}


class Cost(BaseModel):
    """What a model costs: the 95th percentile of a call with one row, loading, memory and file size."""

    milliseconds: float
    load_seconds: float
    memory: int
    file: int

    @classmethod
    def of(cls, examined: Content, file: bytes) -> Cost:
        """Return the cost of an examined model."""
        return cls(
            milliseconds=float(np.quantile(examined["seconds"], 0.95)) * 1000,
            load_seconds=examined["load_seconds"],
            memory=examined["memory"],
            file=len(file),
        )


def answers(examined: Content, elsewhere: NDArray[np.float64], rows: pd.DataFrame) -> Iterator[Rule]:
    """Yield the rules about answers: each is a probability, and depends on its row alone."""
    together = examined["together"]
    invalid = ~(np.isfinite(together) & (together >= 0) & (together <= 1))
    first = f"; the first for {_shown(rows, int(np.argmax(invalid)))}" if invalid.any() else ""
    yield Rule(
        name="probabilities",
        passed=not invalid.any(),
        details=f"{invalid.sum()} of {len(rows)} answers aren't probabilities from 0 to 1{first}; none is allowed",
    )
    contrary = (examined["classes"] != (together > 0.5)) & (np.abs(together - 0.5) > TOLERANCE)
    yield Rule(
        name="classes",
        passed=not contrary.any(),
        details=f"predict contradicts predict_proba for {contrary.sum()} of {len(rows)} rows; none is allowed",
    )
    positions = examined["positions"]
    asked = rows.take(positions)
    yield _same("alone", together[positions], examined["alone"], "as the only row of a request", asked)
    for name, way in WAYS.items():
        yield _same(name, together, elsewhere if name == "elsewhere" else examined[name], way, rows)
    difference = _largest(together, examined["refitted"])
    yield Rule(
        name="recipe",
        passed=difference <= REFIT_TOLERANCE,
        details=f"its answers differ by up to {difference:.2g} from those of its recipe, fitted on the same rows; at"
        f" most {REFIT_TOLERANCE:g} is allowed: the file isn't what the recipe makes of the data",
    )


def costs(cost: Cost, calls: int, champion: Cost | None, thresholds: Thresholds) -> Iterator[Rule]:
    """Yield the rules about speed and size: within the absolute limits, and within a multiple of the champion's."""
    limits = (
        ("latency", "milliseconds", 1, "ms for one row (95th percentile)", thresholds.milliseconds, 5),
        ("loading", "load_seconds", 1, "s to load", thresholds.load_seconds, 1),
        ("memory", "memory", MIB, "MiB of memory", thresholds.memory_mib, 50),
        ("file size", "file", MIB, "MiB of file", thresholds.file_mib, 5),
    )
    for name, attribute, unit, text, limit, slack in limits:
        value = getattr(cost, attribute) / unit
        allowed, of = limit, ""
        if champion:
            multiple = thresholds.cost_multiple * getattr(champion, attribute) / unit + slack
            if multiple < limit:
                allowed, of = multiple, f" ({thresholds.cost_multiple:g} times the champion's, plus {slack})"
        slow = f" ({calls} row(s) were tried)" if name == "latency" and calls < ALONE else ""
        yield Rule(
            name=name,
            passed=value <= allowed,
            details=f"{value:.3g} {text}{slow}; at most {allowed:.3g}{of} is allowed",
        )


def _same(name: str, together: NDArray[np.float64], other: NDArray[np.float64], way: str, rows: pd.DataFrame) -> Rule:
    difference = _largest(together, other)
    worst = int(np.argmax(np.nan_to_num(np.abs(together - other))))
    return Rule(
        name=f"answers {name}",
        passed=difference <= TOLERANCE,
        details=f"answers differ by up to {difference:.2g} {way}; at most {TOLERANCE:g} is allowed"
        + (f"; most for {_shown(rows, worst)}" if difference > TOLERANCE else ""),
    )


def _largest(values: NDArray[np.float64], others: NDArray[np.float64]) -> float:
    """Return the largest absolute difference; missing values, which have a rule of their own, equal each other."""
    both = np.isnan(values) & np.isnan(others)
    differences = np.abs(np.where(both, 0, values - others))
    return float(np.where(np.isnan(differences), np.inf, differences).max(initial=0))


def _shown(rows: pd.DataFrame, number: int) -> str:
    content: dict[Any, Any] = rows.iloc[number].dropna().to_dict()
    return ", ".join(f"{name} {str(value)[:30]!r}" for name, value in content.items())
