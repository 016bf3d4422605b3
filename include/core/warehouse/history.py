"""What ``load_log`` says of the loads that were made."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from psycopg.rows import class_row

from include.core.warehouse.schema import exists

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
    """The complete load that says how fresh a dataset is.

    Attributes:
        dataset: its name.
        dag_id: the DAG that made the load.
        finished_at: when it was committed.
    """

    dataset: str
    dag_id: str
    finished_at: datetime


def last_loads(session: Session, datasets: Iterable[Dataset]) -> list[LastLoad]:
    """Return the last complete load of each dataset that has one, by name.

    Where a load covers a day, it is the last one of the newest day: a backfill of old days makes nothing fresh.
    """
    if not exists(session, "load_log"):
        return []
    by_day = {each.name: each.partition is not None and each.column(each.partition).type == "date" for each in datasets}
    asked = {"names": list(by_day), "by_day": [name for name, daily in by_day.items() if daily]}
    with session.cursor(row_factory=class_row(LastLoad)) as cursor:
        return cursor.execute(LAST_LOADS, asked).fetchall()
