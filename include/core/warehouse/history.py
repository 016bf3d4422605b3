"""Queries on ``load_log``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg.rows import class_row

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset

LAST_LOADS = """
    SELECT DISTINCT ON (dataset) dataset, dag_id, finished_at
    FROM load_log
    WHERE complete AND dataset = ANY(%(names)s)
    ORDER BY
        dataset, CASE WHEN dataset = ANY(%(by_day)s) THEN partition_key COLLATE "C" END DESC, finished_at DESC
"""


@dataclass(frozen=True)
class LastLoad:
    """The complete load that determines how fresh a dataset is.

    Attributes:
        dataset: name of the dataset.
        dag_id: the DAG that made the load.
        finished_at: when it was committed.
    """

    dataset: str
    dag_id: str
    finished_at: datetime


def last_loads(session: Session, datasets: Iterable[Dataset]) -> list[LastLoad]:
    """Return the last complete load of each dataset that has one, by name.

    For a dataset partitioned by day, it is the last load of the newest day: backfilling old days doesn't make it fresh.
    """
    is_daily = {dataset.name: dataset.is_daily for dataset in datasets}
    parameters = {"names": list(is_daily), "by_day": [name for name, daily in is_daily.items() if daily]}
    with session.cursor(row_factory=class_row(LastLoad)) as cursor:
        return cursor.execute(LAST_LOADS, parameters).fetchall()
