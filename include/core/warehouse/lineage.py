"""Queries on the origin of rows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session


def read_at(session: Session) -> dt.datetime:
    """Return the time by the server's clock, for rows that are read from other tables next."""
    [time] = session.execute("SELECT clock_timestamp()").fetchone() or [None]
    if not isinstance(time, dt.datetime):
        raise TypeError(f"the server's clock says {time!r}")
    return time


def replayed_from(session: Session, table: str, first: dt.date, last: dt.date) -> dt.date | None:
    """Return the earliest recorded day that a table's rows of the days ``first`` to ``last`` replay.

    Args:
        session: session on the warehouse.
        table: table of a dataset with the column ``day``.
        first: first day.
        last: last day, inclusive.
    """
    row = session.execute(
        sql.SQL("SELECT min(replayed_from) FROM {} JOIN load_log USING (load_id) WHERE day BETWEEN %s AND %s").format(
            sql.Identifier(table)
        ),
        [first, last],
    ).fetchone()
    return row[0] if row and isinstance(row[0], dt.date) else None
