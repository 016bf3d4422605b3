"""How each dataset is: fresh or late, its error budget, its rows, its last load."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.rows import class_row

from include.core.warehouse.history import last_loads
from include.ops.health.loads import COLUMNS, Load

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset

ALLOWED_SHARE = 0.01
"""Share of the rows received in a month that may be quarantined: the error budget."""
COUNTED = 1_000_000
"""Rows up to which a table is counted."""
NEWEST = sql.SQL("""
    SELECT {} FROM unnest(%s::text[]) AS wanted (name)
    CROSS JOIN LATERAL (
        SELECT * FROM load_log WHERE dataset = wanted.name ORDER BY load_id DESC LIMIT 1
    ) AS load_log
""").format(COLUMNS)
MONTH = """
    SELECT
        dataset,
        array_agg(DISTINCT dag_id),
        coalesce(sum(rows_in) FILTER (WHERE finished_at >= %(month)s), 0),
        coalesce(sum(quarantined) FILTER (WHERE finished_at >= %(month)s), 0)
    FROM load_log WHERE dataset = ANY(%(names)s) GROUP BY dataset
"""


class State(StrEnum):
    """Whether a dataset was loaded in time."""

    FRESH = "fresh"
    LATE = "late"
    NEVER = "never complete"
    UNWATCHED = "no expectation"


@dataclass(frozen=True)
class Health:
    """State of a dataset.

    Attributes:
        dataset: the dataset.
        state: whether it was loaded in time.
        complete_at: when the complete load was done that makes it fresh.
        age: time since then.
        received: rows received this month (UTC), over all loads.
        rejected: of these, the quarantined ones.
        rows: rows of the table, at most :data:`COUNTED`; ``None`` if there is no table.
        quarantined: rows in quarantine.
        last: the newest load, complete or not.
        loaders: the DAGs that ever loaded it.
    """

    dataset: Dataset
    state: State
    complete_at: datetime | None = None
    age: timedelta | None = None
    received: int = 0
    rejected: int = 0
    rows: int | None = None
    quarantined: int = 0
    last: Load | None = None
    loaders: frozenset[str] = frozenset()

    @property
    def budget_used(self) -> float | None:
        """Used part of the month's error budget, 1 for all of it; ``None`` if nothing was received."""
        return self.rejected / (self.received * ALLOWED_SHARE) if self.received else None

    def is_readable(self, dag_ids: Collection[str]) -> bool:
        """Whether someone who may read these DAGs may see the rows: those of a dataset that one of them loads."""
        return not self.loaders or not self.loaders.isdisjoint(dag_ids)


def overview(session: Session, datasets: Sequence[Dataset], now: datetime) -> list[Health]:
    """Return how each dataset is at ``now``, by name."""
    names = [dataset.name for dataset in datasets]
    with session.cursor(row_factory=class_row(Load)) as cursor:
        newest = {load.dataset: load for load in cursor.execute(NEWEST, [names])}
    complete = {load.dataset: load.finished_at for load in last_loads(session, datasets)}
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    sums = {row[0]: row for row in session.execute(MONTH, {"names": names, "month": month})}
    quarantine: Any = session.execute(
        "SELECT dataset, count(*) FROM quarantine WHERE dataset = ANY(%s) GROUP BY dataset", [names]
    ).fetchall()
    quarantined = dict(quarantine)
    healths = []
    for dataset in sorted(datasets, key=lambda dataset: dataset.name):
        done = complete.get(dataset.name)
        age = now - done if done else None
        _, loaders, received, rejected = sums.get(dataset.name, (None, [], 0, 0))
        healths.append(
            Health(
                dataset,
                _state(dataset, age),
                done,
                age,
                int(str(received)),
                int(str(rejected)),
                count_rows(session, dataset.name),
                quarantined.get(dataset.name, 0),
                newest.get(dataset.name),
                frozenset(loaders) if isinstance(loaders, list) else frozenset(),
            )
        )
    return healths


def count_rows(session: Session, table: str) -> int | None:
    """Return the rows of a table, at most :data:`COUNTED`; ``None`` if there is no such table."""
    name = sql.Identifier(table)
    if session.execute("SELECT to_regclass(quote_ident(%s))", [table]).fetchone() == (None,):
        return None
    query = sql.SQL("SELECT count(*) FROM (SELECT FROM {} LIMIT {}) AS counted").format(name, sql.Literal(COUNTED))
    row = session.execute(query).fetchone()
    return int(str(row[0])) if row else None


def _state(dataset: Dataset, age: timedelta | None) -> State:
    if age is None:
        return State.NEVER
    if dataset.freshness is None:
        return State.UNWATCHED
    return State.LATE if age > dataset.freshness else State.FRESH
