"""The tables that the checks leave behind, a day at a time, and the day's predictions that they read."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from include.core.ml.serving.spool import create_tables
from include.core.warehouse.connect import connect

if TYPE_CHECKING:
    import datetime as dt

    from numpy.typing import NDArray

    from include.core.ml.spec import ModelSpec


class Day:
    """What one version served on one UTC day: live predictions, and replayed ones where sample traffic stands in.

    Attributes:
        version: number of the version.
        rows: raw rows, one a prediction.
        probabilities: what was served of each.
        outcomes: what turned out to be true, 0 or 1; NaN where it isn't known.
        replayed: how many of them are replayed.
    """

    def __init__(self, spec: ModelSpec, version: int, rows: list[tuple[object, ...]]) -> None:
        self.version = version
        self.rows = spec.frame([spec.row.model_validate(row[0]) for row in rows])
        self.probabilities: NDArray[np.float64] = np.array([row[1] for row in rows], dtype=np.float64)
        self.outcomes = pd.Series([row[2] for row in rows], dtype="float64")
        self.replayed = sum(row[3] == "replay" for row in rows)


def served(spec: ModelSpec, uri: str, model: str, date: dt.date) -> list[Day]:
    """Return the predictions of a UTC day by version of the registered ``model``, without those made as a check."""
    create_tables(uri)
    with connect(uri) as session:
        found = session.execute(
            "SELECT model_version, inputs, probability, outcomes.outcome::integer, purpose FROM predictions"
            " LEFT JOIN outcomes USING (prediction_id)"
            " WHERE model_name = %s AND purpose IN ('live', 'replay')"
            " AND served_at >= %s AND served_at < %s + interval '1 day'"
            " ORDER BY model_version, served_at, prediction_id",
            [model, date, date],
        ).fetchall()
    versions: dict[int, list[tuple[object, ...]]] = {}
    for version, *row in found:
        versions.setdefault(int(str(version)), []).append(tuple(row))
    return [Day(spec, version, rows) for version, rows in versions.items()]


def usual_volume(uri: str, model: str, date: dt.date, days: int = 14) -> float | None:
    """Return the median of the live predictions a day over the ``days`` before; ``None`` if half are unknown."""
    with connect(uri) as session:
        exists = session.execute("SELECT to_regclass('model_daily') IS NOT NULL").fetchone()
        if not exists or not exists[0]:
            return None
        found = session.execute(
            "SELECT sum(predictions) FROM model_daily WHERE model = %s AND segment = 'all'"
            " AND date >= %s - %s * interval '1 day' AND date < %s GROUP BY date",
            [model, date, days, date],
        ).fetchall()
    return float(np.median([float(str(count)) for (count,) in found])) if len(found) * 2 >= days else None
