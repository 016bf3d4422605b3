"""Lock and fences against overlapping and stale loads; they hold until the transaction ends."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from include.core.warehouse.errors import LoadError, StaleAttemptError, SupersededError

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

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


def require_newest(
    session: Session, dataset: str, partition: str, requested_at: datetime | None, expected: Collection[str] | None
) -> None:
    """Check that no published rows of the partition were requested later than these; requires :func:`lock`.

    Args:
        session: session in the load's transaction.
        dataset: name of the dataset.
        partition: the partition, as text.
        requested_at: when the source was asked; ``None`` if that is unknown, which passes.
        expected: the values that the load covers, ``None`` for the whole partition.

    Raises:
        SupersededError: if later ones cover everything that is expected.
        LoadError: if they cover a part of it.
        ValueError: if ``requested_at`` has no time zone.
    """
    if requested_at is None:
        return
    if requested_at.tzinfo is None:
        raise ValueError(f"requested_at: {requested_at} has no time zone")
    later = session.execute(
        """
        SELECT covered, format(
            'load_id %%s (%%s.%%s, %%s) published an answer of %%s UTC',
            load_id, dag_id, task_id, run_id, requested_at AT TIME ZONE 'UTC'
        )
        FROM load_log WHERE dataset = %s AND partition_key = %s AND requested_at > %s ORDER BY requested_at
        """,
        [dataset, partition, requested_at],
    ).fetchall()
    if not later:
        return
    whole = any(covered is None for covered, _ in later)
    values = {value for covered, _ in later if isinstance(covered, list) for value in covered}
    moment = requested_at.astimezone(UTC).replace(tzinfo=None)
    rows = f"{dataset}, partition {partition}: these rows were requested at {moment} UTC"
    if whole or (expected is not None and values.issuperset(expected)):
        raise SupersededError(
            f"{rows}, but {later[-1][1]}: superseded, nothing was written. No action is needed; to load the partition"
            " again, request it again."
        )
    if outdated := sorted(values if expected is None else values & set(expected)):
        raise LoadError(
            f"{rows}, but {later[-1][1]} for {', '.join(outdated)}: nothing was written. Clear the task that requests"
            " the rows."
        )
