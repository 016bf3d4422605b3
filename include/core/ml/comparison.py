"""Compares the challenger's answers with the champion's answers to the same rows, as they are in the warehouse."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import ValidationError

from include.core.ml.drift.summary import WHOLE
from include.core.warehouse.connect import connect

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydantic import BaseModel

    from include.core.ml.spec import ModelSpec

AT_ONCE = 2000  # rows
PAIRS = """
    FROM predictions AS challenger
    INNER JOIN predictions AS champion ON champion.prediction_id = challenger.champion_id
    LEFT JOIN outcomes ON outcomes.prediction_id = champion.prediction_id
    WHERE challenger.role = 'challenger' AND challenger.model_name = %(model)s
        AND challenger.purpose IN ('live', 'replay')
        AND challenger.served_at >= %(first)s::timestamp AT TIME ZONE 'UTC'
        AND challenger.served_at < %(end)s::timestamp AT TIME ZONE 'UTC'
"""
ANSWERS = f"""
    SELECT champion.model_version, challenger.model_version, champion.inputs, champion.outcome, challenger.outcome,
        champion.probability, challenger.probability, outcomes.outcome
    {PAIRS}
"""  # no values
LATENCIES = f"""
    SELECT champion.model_version, challenger.model_version,
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY champion.milliseconds),
        percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY challenger.milliseconds)
    {PAIRS}
    GROUP BY 1, 2
"""  # no values


@dataclass
class Agreement:
    """The answers of both to the rows of a segment; each number is a sum over the rows.

    Attributes:
        rows: rows that both answered.
        same: rows with the same predicted outcome.
        difference, distance: the challenger's probability minus the champion's, and its absolute value.
        outcomes: rows whose actual outcome is known.
        champion_right, challenger_right: those of them that each predicted.
    """

    rows: int = 0
    same: int = 0
    difference: float = 0.0
    distance: float = 0.0
    outcomes: int = 0
    champion_right: int = 0
    challenger_right: int = 0

    @property
    def agreement(self) -> float:
        """Share of rows with the same predicted outcome."""
        return self.same / self.rows

    @property
    def mean_difference(self) -> float:
        """Mean of the challenger's probability minus the champion's."""
        return self.difference / self.rows

    @property
    def mean_distance(self) -> float:
        """Mean absolute difference of the probabilities."""
        return self.distance / self.rows

    @property
    def accuracies(self) -> tuple[float, float] | None:
        """Accuracy of the champion and of the challenger on known outcomes; ``None`` if none is known."""
        if not self.outcomes:
            return None
        return self.champion_right / self.outcomes, self.challenger_right / self.outcomes


@dataclass
class Latency:
    """Median and 95th percentile of the milliseconds that the calls took that predicted the rows."""

    median: float
    high: float


@dataclass
class Comparison:
    """A challenger beside a champion.

    Attributes:
        champion, challenger: their versions.
        segments: what they answered, by segment, after that of all rows. Rows that the model's schema refuses now are
            in no segment.
        champion_latency, challenger_latency: how fast they were; ``None`` if it wasn't measured.
    """

    champion: int
    challenger: int
    segments: dict[str, Agreement] = field(default_factory=lambda: {WHOLE: Agreement()})
    champion_latency: Latency | None = None
    challenger_latency: Latency | None = None


def compare(spec: ModelSpec, uri: str, model: str, first: dt.date, last: dt.date) -> list[Comparison]:
    """Compare what champions and challengers of the registered ``model`` answered from ``first`` to ``last``, UTC days.

    Live and replayed traffic counts, checks don't. Returns a comparison for each pair of versions, in their order.
    """
    comparisons: dict[tuple[int, int], Comparison] = {}
    parameters = {"model": model, "first": first, "end": last + dt.timedelta(days=1)}
    with connect(uri) as session, session.transaction():
        with session.cursor("answers") as cursor:  # at the server, since there may be millions
            cursor.execute(ANSWERS, parameters)
            while rows := cursor.fetchmany(AT_ONCE):
                _add(spec, comparisons, rows)
        for champion, challenger, *latencies in session.execute(LATENCIES, parameters).fetchall():
            found = comparisons[_number(champion), _number(challenger)]
            found.champion_latency, found.challenger_latency = map(_latency, latencies)
    return [comparisons[pair] for pair in sorted(comparisons)]


def _add(spec: ModelSpec, comparisons: dict[tuple[int, int], Comparison], rows: Sequence[tuple[object, ...]]) -> None:
    pairs = [(_number(row[0]), _number(row[1])) for row in rows]
    inputs: dict[int, BaseModel] = {}
    for position, row in enumerate(rows):
        try:
            inputs[position] = spec.row.model_validate(row[2])
        except ValidationError:
            continue
    groups: dict[tuple[tuple[int, int], str], list[int]] = defaultdict(list)
    for position, pair in enumerate(pairs):
        groups[pair, WHOLE].append(position)
    for position, segment in zip(inputs, spec.segment(spec.frame(list(inputs.values()))), strict=True):
        groups[pairs[position], str(segment)].append(position)
    for (pair, segment), positions in groups.items():
        comparison = comparisons.setdefault(pair, Comparison(*pair))
        _count(comparison.segments.setdefault(segment, Agreement()), [rows[position] for position in positions])


def _count(total: Agreement, rows: Sequence[tuple[Any, ...]]) -> None:
    champion, challenger = _column(rows, 3), _column(rows, 4)
    difference, outcome = _column(rows, 6) - _column(rows, 5), _column(rows, 7)
    total.rows += len(rows)
    total.same += int((champion == challenger).sum())
    total.difference += float(difference.sum())
    total.distance += float(np.abs(difference).sum())
    total.outcomes += int(np.isfinite(outcome).sum())
    total.champion_right += int((champion == outcome).sum())
    total.challenger_right += int((challenger == outcome).sum())


def _column(rows: Sequence[tuple[Any, ...]], number: int) -> NDArray[np.float64]:
    """Return a column of numbers or truth values as numbers, NULL as NaN."""
    return np.array([row[number] for row in rows], dtype=np.float64)


def _number(value: object) -> int:
    return int(str(value))


def _latency(percentiles: Any) -> Latency | None:
    return Latency(*percentiles) if percentiles and None not in percentiles else None
