"""Reads a day's predictions and the usual volume from the warehouse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from include.core.warehouse.connect import connect
from include.core.warehouse.schema import exists

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from include.core.ml.spec import ModelSpec


class Day:
    """Predictions that a version served on a UTC day, live or replayed from sample traffic.

    Attributes:
        version: number of the version.
        rows: raw rows, one per prediction.
        probabilities: served probability of each row.
        outcomes: actual outcome of each row, 0 or 1; NaN if unknown.
        replayed: number of replayed predictions.
    """

    def __init__(self, spec: ModelSpec, version: int, rows: list[tuple[object, ...]]) -> None:
        self.version = version
        self.rows = spec.frame([spec.row.model_validate(row[0]) for row in rows])
        self.probabilities: NDArray[np.float64] = np.array([row[1] for row in rows], dtype=np.float64)
        self.outcomes = pd.Series([row[2] for row in rows], dtype="float64")
        self.replayed = sum(row[3] == "replay" for row in rows)


def served(spec: ModelSpec, uri: str, model: str, date: dt.date) -> list[Day]:
    """Return the predictions of a UTC day by version of the registered ``model``, excluding checks."""
    with connect(uri) as session:
        predictions = session.execute(
            "SELECT model_version, inputs, probability, outcomes.outcome::integer, purpose FROM predictions"
            " LEFT JOIN outcomes USING (prediction_id)"
            " WHERE model_name = %s AND purpose IN ('live', 'replay')"
            " AND served_at >= %s AND served_at < %s + interval '1 day'"
            " ORDER BY model_version, served_at, prediction_id",
            [model, date, date],
        ).fetchall()
    versions: dict[int, list[tuple[object, ...]]] = {}
    for version, *row in predictions:
        versions.setdefault(int(str(version)), []).append(tuple(row))
    return [Day(spec, version, rows) for version, rows in versions.items()]


def usual_volume(uri: str, model: str, date: dt.date, days: int = 14) -> float | None:
    """Return the median daily predictions over the previous ``days``; ``None`` if more than half are missing."""
    with connect(uri) as session:
        if not exists(session, "model_daily"):
            return None
        counts = session.execute(
            "SELECT sum(predictions) FROM model_daily WHERE model = %s AND segment = 'all'"
            " AND day >= %s - %s * interval '1 day' AND day < %s GROUP BY day",
            [model, date, days, date],
        ).fetchall()
    return float(np.median([float(str(count)) for (count,) in counts])) if len(counts) * 2 >= days else None
