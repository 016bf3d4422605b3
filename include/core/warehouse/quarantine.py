"""Stores rejected rows, as received, with the reason."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from include.core.warehouse.storable import storable_text

if TYPE_CHECKING:
    from collections.abc import Iterable

    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Rejected

DEEPEST = 50


def quarantine(
    session: Session, dataset: str, partition: str, attempt: Attempt, load_id: int, rejected: Iterable[Rejected]
) -> int:
    """Store ``rejected``, replacing the rows that earlier tries of the same task instance stored.

    Returns:
        How many rows were stored.
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
            target | {"source_row": Jsonb(storable_value(item.row)), "reason": storable_text(item.reason)}
            for item in rejected
        ),
    )
    return max(cursor.rowcount, 0)


def storable_value(value: object, depth: int = 0) -> object:
    """Return ``value`` in a form that ``jsonb`` can store; types that JSON doesn't have become text."""
    if depth > DEEPEST:
        return "(nested too deeply to be shown)"
    if value is None or isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    if isinstance(value, dict):
        return {storable_text(str(name)): storable_value(item, depth + 1) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [storable_value(item, depth + 1) for item in value]
    return storable_text(str(value))
