"""Lock and fence against overlapping and stale attempts; both hold until the transaction ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.warehouse.errors import StaleAttemptError

if TYPE_CHECKING:
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.connect import Session


def lock(session: Session, dataset: str, partition: str) -> None:
    """Wait until no other session loads the same partition.

    Raises:
        psycopg.errors.LockNotAvailable: after the session's ``lock_timeout``; can be retried.
    """
    session.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s || chr(31) || %s, 0))", [dataset, partition])


def fence(session: Session, dataset: str, partition: str, attempt: Attempt) -> None:
    """Record ``attempt`` as the newest of its task instance; requires :func:`lock`.

    Raises:
        StaleAttemptError: if a newer attempt has loaded this partition.
    """
    newest = session.execute(
        """
        INSERT INTO load_fence AS fence (
            dataset, partition_key, dag_id, task_id, run_id, map_index, run_started, try_number
        )
        VALUES (
            %(dataset)s, %(partition)s, %(dag_id)s, %(task_id)s, %(run_id)s, %(map_index)s, %(started)s, %(try_number)s
        )
        ON CONFLICT (dataset, partition_key, dag_id, task_id, run_id, map_index) DO UPDATE
        SET run_started = excluded.run_started, try_number = excluded.try_number
        WHERE (fence.run_started, fence.try_number) <= (excluded.run_started, excluded.try_number)
        RETURNING try_number
        """,
        attempt.identity
        | {
            "dataset": dataset,
            "partition": partition,
            "started": attempt.run_started,
            "try_number": attempt.try_number,
        },
    ).fetchone()
    if newest is None:
        raise StaleAttemptError(
            f"{dataset}, partition {partition}: try {attempt.try_number} of {attempt.dag_id}.{attempt.task_id}"
            f" ({attempt.run_id}) is stale, a newer one has loaded; nothing was written. No action is needed."
        )
