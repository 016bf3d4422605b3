"""What rows were made of."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

from psycopg import sql

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session


def replayed_from(session: Session, table: str, first: dt.date, last: dt.date) -> dt.date | None:
    """Return the recorded day that rows of a table's days ``first`` to ``last`` replay; of several, the first.

    Args:
        session: session on the warehouse.
        table: table of a dataset with the column ``day``.
        first: first day.
        last: last day, included.
    """
    found = session.execute(
        sql.SQL("SELECT min(replayed_from) FROM {} JOIN load_log USING (load_id) WHERE day BETWEEN %s AND %s").format(
            sql.Identifier(table)
        ),
        [first, last],
    ).fetchone()
    return found[0] if found and isinstance(found[0], dt.date) else None
