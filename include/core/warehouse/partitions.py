"""Which of the partitions that a dataset must have are missing."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from psycopg.rows import class_row

from include.core.warehouse.calendar import in_ranges

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset

LAST_LOADS = """
    SELECT DISTINCT ON (partition_key) partition_key, complete
    FROM load_log
    WHERE dataset = %s AND partition_key = ANY(%s)
    ORDER BY partition_key, load_id DESC
"""
LOADED = """
    SELECT dataset, min(partition_key)::date AS first, max(partition_key)::date AS last,
        (array_agg(dag_id ORDER BY load_id DESC))[1] AS dag_id
    FROM load_log
    WHERE complete AND replayed_from IS NULL AND dataset = ANY(%s)
    GROUP BY dataset ORDER BY dataset
"""


@dataclass(frozen=True)
class Missing:
    """Partitions that must exist and don't.

    Attributes:
        dataset: name of the dataset.
        absent: those never loaded.
        incomplete: those whose last load was incomplete.
        dag_id: the DAG that loads the dataset, if known.
    """

    dataset: str
    absent: tuple[date, ...]
    incomplete: tuple[date, ...]
    dag_id: str = ""

    def __bool__(self) -> bool:
        return bool(self.partitions)

    def __str__(self) -> str:
        absent = f"{len(self.absent)} not loaded ({in_ranges(self.absent)})" if self.absent else ""
        incomplete = f"{len(self.incomplete)} incomplete ({in_ranges(self.incomplete)})" if self.incomplete else ""
        return f"{self.dataset}: {', '.join(filter(None, (absent, incomplete)))}"

    @property
    def partitions(self) -> tuple[date, ...]:
        """All of them, in order."""
        return tuple(sorted((*self.absent, *self.incomplete)))

    @property
    def lacking(self) -> list[str]:
        """What a total over them lacks, for :func:`include.core.warehouse.loader.load`."""
        return [str(self)] if self else []


@dataclass(frozen=True)
class _Loaded:
    dataset: str
    first: date
    last: date
    dag_id: str


def missing(session: Session, dataset: str, expected: Iterable[date], dag_id: str = "") -> Missing:
    """Return which of the expected partitions of a dataset aren't loaded, or whose last load was incomplete."""
    days = list(expected)
    rows: Any = session.execute(LAST_LOADS, [dataset, [day.isoformat() for day in days]])
    complete = {date.fromisoformat(key): is_complete for key, is_complete in rows}
    return Missing(
        dataset,
        tuple(day for day in days if day not in complete),
        tuple(day for day in days if complete.get(day) is False),
        dag_id,
    )


def gaps(session: Session, datasets: Iterable[Dataset], now: datetime) -> Iterator[Missing]:
    """Yield what is missing between the first and the newest complete partition of each dataset with a ``freshness``.

    Its calendar says how far back that is reported. Sample data doesn't count. Nothing is yielded for a dataset that
    was never loaded; an empty one for a dataset without gaps.
    """
    watched = {dataset.name: dataset for dataset in datasets if dataset.is_daily and dataset.freshness is not None}
    with session.cursor(row_factory=class_row(_Loaded)) as cursor:
        loaded = cursor.execute(LOADED, [list(watched)]).fetchall()
    for item in loaded:
        calendar = watched[item.dataset].calendar
        first = max(item.first, now.date() - calendar.watched)
        yield missing(session, item.dataset, calendar.expected(first, item.last), item.dag_id)
