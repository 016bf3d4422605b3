"""Finds the days whose outcomes changed since they were judged."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from include.core.warehouse.connect import connect

if TYPE_CHECKING:
    from include.core.warehouse.dataset import Dataset

DAYS = 35
"""How many days before the judged one are looked at: a month, and what a weekly export adds."""
COMMIT = dt.timedelta(minutes=10)
"""An outcome's time is that of its transaction's start; it may have been committed this much later."""

CHANGED = """
    SELECT (served_at AT TIME ZONE 'UTC')::date AS day
    FROM predictions
    INNER JOIN outcomes USING (prediction_id)
    LEFT JOIN (
        SELECT partition_key, max(coalesce(requested_at, started_at)) AS judged_at
        FROM load_log WHERE dataset = %(dataset)s AND (covered IS NULL OR %(model)s = ANY(covered))
        GROUP BY partition_key
    ) AS judged ON partition_key = (served_at AT TIME ZONE 'UTC')::date::text
    WHERE model_name = %(model)s AND purpose IN ('live', 'replay')
        AND served_at >= %(first)s::timestamp AT TIME ZONE 'UTC' AND served_at < %(day)s::timestamp AT TIME ZONE 'UTC'
        AND (judged_at IS NULL OR arrived_at >= judged_at - %(commit)s)
    GROUP BY day ORDER BY day
"""


def changed(uri: str, model: str, dataset: Dataset, day: dt.date) -> list[dt.date]:
    """Return the days among the :data:`DAYS` before ``day`` with outcomes that came after ``dataset`` was loaded."""
    parameters = {
        "dataset": dataset.name,
        "model": model,
        "first": day - dt.timedelta(DAYS),
        "day": day,
        "commit": COMMIT,
    }
    with connect(uri) as session:
        return [row[0] for row in session.execute(CHANGED, parameters).fetchall() if isinstance(row[0], dt.date)]
