"""Reads predictions, earlier days and the usual volume from the warehouse."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from include.core.ml.drift.baseline import DELAY, Days
from include.core.ml.drift.summary import WHOLE
from include.core.warehouse.connect import connect
from include.core.warehouse.schema import exists

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray
    from pydantic import BaseModel

    from include.core.ml.drift.alarms import Acknowledgement
    from include.core.ml.drift.summary import Features, Summary
    from include.core.ml.spec import ModelSpec

LEARNING = 90
"""Days from a version's first on in which the days to learn from are looked for."""
USUAL_DAYS = 14


class Day:
    """Predictions that a version served on a UTC day, live or replayed from sample traffic.

    Attributes:
        version: number of the version.
        predictions: their number.
        invalid: ids of those whose row the model's schema refuses; they are left out of what follows.
        ids: ids of the others.
        rows: raw rows, one per prediction.
        probabilities: served probability of each row; NaN if it is missing.
        outcomes: actual outcome of each row, 0 or 1; NaN if unknown.
        replayed: number of replayed predictions.
    """

    def __init__(self, spec: ModelSpec, version: int, rows: Sequence[tuple[object, ...]]) -> None:
        self.version, self.predictions = version, len(rows)
        self.replayed = sum(row[4] == "replay" for row in rows)
        self.invalid: list[str] = []
        valid: list[tuple[object, ...]] = []
        inputs: list[BaseModel] = []
        for row in rows:
            try:
                inputs.append(spec.row.model_validate(row[1]))
                valid.append(row)
            except ValidationError:
                self.invalid.append(str(row[0]))
        self.ids = np.array([str(row[0]) for row in valid])
        self.rows = spec.frame(inputs)
        self.probabilities: NDArray[np.float64] = np.array([row[2] for row in valid], dtype=np.float64)
        self.outcomes = pd.Series([row[3] for row in valid], dtype="float64")

    def keep(self, chosen: NDArray[np.bool_]) -> None:
        """Leave out all rows but the ``chosen`` ones."""
        self.ids, self.probabilities = self.ids[chosen], self.probabilities[chosen]
        self.rows = self.rows[chosen].reset_index(drop=True)
        self.outcomes = self.outcomes[chosen].reset_index(drop=True)


def served(spec: ModelSpec, uri: str, model: str, date: dt.date) -> list[Day]:
    """Return the predictions of a UTC day by version of the registered ``model``, excluding checks."""
    start = dt.datetime.combine(date, dt.time(), dt.UTC)
    with connect(uri) as session:
        predictions = session.execute(
            "SELECT model_version, prediction_id, inputs, probability, outcomes.outcome::integer, purpose"
            " FROM predictions LEFT JOIN outcomes USING (prediction_id)"
            " WHERE model_name = %s AND role = 'champion' AND purpose IN ('live', 'replay')"
            " AND served_at >= %s AND served_at < %s"
            " ORDER BY model_version, served_at, prediction_id",
            [model, start, start + dt.timedelta(days=1)],
        ).fetchall()
    versions: dict[int, list[tuple[object, ...]]] = {}
    for version, *row in predictions:
        versions.setdefault(int(str(version)), []).append(tuple(row))
    return [Day(spec, version, rows) for version, rows in versions.items()]


def days_until(
    uri: str,
    model: str,
    version: int,
    date: dt.date,
    features: Features,
    today: Summary,
    acknowledged: Sequence[Acknowledgement],
) -> Days:
    """Return the days that the checks of ``date`` need: the version's first ones, the last ones, and ``today``."""
    rows: list[tuple[Any, ...]] = []
    with connect(uri) as session:
        if exists(session, "model_drift"):
            parameters = {"model": model, "version": version, "day": date, "delay": DELAY, "learning": LEARNING}
            query = """
                SELECT day, segment, feature, rows, observed, sd, shift, distance, alarm
                FROM model_drift
                WHERE model = %(model)s AND version = %(version)s AND sd IS NOT NULL AND day < %(day)s AND (
                    day > %(day)s - %(delay)s OR day < %(learning)s + (
                        SELECT min(day) FROM model_drift
                        WHERE model = %(model)s AND version = %(version)s AND sd IS NOT NULL
                    )
                )
                ORDER BY day
            """
            rows = session.execute(query, parameters).fetchall()
    dates: tuple[dt.date, ...] = (*sorted({row[0] for row in rows}), date)
    position = {day: index for index, day in enumerate(dates)}
    part = {name: index for index, name in enumerate((WHOLE, *features.segments))}
    column = {name: index for index, name in enumerate(features.names)}
    moments = np.zeros((3, len(dates), len(part), len(column)))
    healthy = np.ones(len(dates), dtype=bool)
    for day, segment, feature, *values, shift, distance, alarm in rows:
        if segment in part and feature in column:
            moments[:, position[day], part[segment], column[feature]] = values
        if alarm:
            sizes = {"drift": shift, "shape": distance}
            healthy[position[day]] &= any(
                item.covers(f"{kind}/{version}/{segment}/{feature}", size)
                for item in acknowledged
                for kind, size in sizes.items()
                if size is not None
            )
    moments[:, -1] = today.rows, today.mean, today.sd
    return Days(dates, moments[0], moments[1], moments[2], healthy)


def usual_volume(uri: str, model: str, date: dt.date) -> float | None:
    """Return the median daily predictions of the last fourteen days with any; ``None`` if fewer than seven had some."""
    with connect(uri) as session:
        if not exists(session, "model_daily"):
            return None
        counts = session.execute(
            "SELECT sum(predictions) FROM model_daily WHERE model = %s AND segment = 'all'"
            " AND day < %s GROUP BY day HAVING sum(predictions) > 0 ORDER BY day DESC LIMIT %s",
            [model, date, USUAL_DAYS],
        ).fetchall()
    return float(np.median([float(str(count)) for (count,) in counts])) if len(counts) * 2 >= USUAL_DAYS else None
