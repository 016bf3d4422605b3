"""Rows that were not loaded: kept as they came, with the reason."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from include.core.warehouse.stage import storable_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Rejected


def quarantine(
    session: Session, dataset: str, partition: str, attempt: Attempt, load_id: int, rejected: Iterable[Rejected]
) -> int:
    """Put ``rejected`` aside in place of what earlier tries of the same task instance put aside.

    Returns:
        How many rows lie in quarantine for this load.
    """
    target = attempt.identity | {"dataset": dataset, "partition": partition, "load_id": load_id}
    session.execute(
        """
        DELETE FROM quarantine
        WHERE dataset = %(dataset)s AND partition_key = %(partition)s AND dag_id = %(dag_id)s
            AND task_id = %(task_id)s AND run_id = %(run_id)s AND map_index = %(map_index)s
        """,
        target,
    )
    cursor = session.cursor()
    cursor.executemany(
        """
        INSERT INTO quarantine (
            dataset, partition_key, dag_id, task_id, run_id, map_index, load_id, source_row, reason
        )
        VALUES (
            %(dataset)s, %(partition)s, %(dag_id)s, %(task_id)s, %(run_id)s, %(map_index)s, %(load_id)s,
            %(source_row)s, %(reason)s
        )
        """,
        (
            target | {"source_row": Jsonb(storable_value(each.row)), "reason": storable_text(each.reason)}
            for each in rejected
        ),
    )
    return max(cursor.rowcount, 0)


def storable_value(value: object) -> object:
    """Return ``value`` in a form that ``jsonb`` holds: what JSON doesn't know becomes text."""
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, dict):
        return {storable_text(str(name)): storable_value(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [storable_value(each) for each in value]
    return storable_text(str(value))
