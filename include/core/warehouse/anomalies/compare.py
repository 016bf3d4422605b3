"""Compares the staged rows with the dataset's history, and stores their profile for later loads."""

from __future__ import annotations

import logging
from datetime import date
from typing import TYPE_CHECKING

from psycopg.types.json import Jsonb

from include.core.warehouse.anomalies.judge import FEWEST, judge
from include.core.warehouse.anomalies.profile import Profile, profile
from include.core.warehouse.errors import AnomalyError

if TYPE_CHECKING:
    from collections.abc import Collection

    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset

log = logging.getLogger(__name__)

LOADS = 70
"""Comparable loads that are read: ten of each weekday."""
NEAREST = 7
"""Partitions whose keys are compared."""
COMPARABLE = """
    SELECT partition_key, profile
    FROM (
        SELECT DISTINCT ON (partition_key, CASE WHEN %(whole)s THEN dag_id || '/' || run_id END)
            partition_key, load_id, profile
        FROM load_log JOIN load_profile USING (load_id)
        WHERE
            dataset = %(dataset)s AND complete
            AND (replayed_from IS NOT NULL) = %(replayed)s AND expected IS NOT DISTINCT FROM %(expected)s::text[]
            AND CASE
                WHEN %(whole)s THEN (dag_id, run_id) <> (%(dag_id)s, %(run_id)s)
                ELSE partition_key <> %(partition)s
            END
            AND (%(first)s::text IS NULL OR partition_key BETWEEN %(first)s AND %(last)s)
        ORDER BY partition_key, CASE WHEN %(whole)s THEN dag_id || '/' || run_id END, load_id DESC
    ) AS loads
    ORDER BY CASE WHEN %(first)s::text IS NOT NULL THEN abs(partition_key::date - %(partition)s::date) END, load_id DESC
    LIMIT %(loads)s
"""


def compare(
    session: Session,
    dataset: Dataset,
    partition: str,
    load_id: int,
    attempt: Attempt,
    complete: bool,
    expected: Collection[str] | None,
    replayed_from: date | None,
) -> None:
    """Compare the rows in ``stage`` with the dataset's history, and store their profile in ``load_profile``.

    Comparable are the last complete loads of the nearest other partitions, or for a table without partitions those of
    other runs, that had the same expected values. Sample data is compared with sample data only.

    Args:
        session: a session in the transaction that staged the rows.
        dataset: the rows' dataset.
        partition: label of the partition.
        load_id: of the load.
        attempt: the loading attempt.
        complete: whether the load is complete.
        expected: the expected values of the dataset's ``complete_by`` column.
        replayed_from: the recorded day that the rows replay, if they are sample data.

    Raises:
        AnomalyError: if the rows are out of bounds and ``attempt`` gives no reason to accept them.
    """
    name, settings = f"{dataset.name}, partition {partition}", dataset.history
    if settings.off:
        log.info("%s: not compared with its history: %s", name, settings.off)
        return
    day = date.fromisoformat(partition) if dataset.is_daily else None
    found = session.execute(
        COMPARABLE,
        {
            **attempt.identity,
            "dataset": dataset.name,
            "partition": partition,
            "whole": dataset.partition is None,
            "replayed": replayed_from is not None,
            "expected": None if expected is None else sorted(expected),
            "first": day and _shifted(day, -settings.days),
            "last": day and _shifted(day, settings.days),
            "loads": LOADS,
        },
    ).fetchall()
    labels = [str(label) for label, _ in found]
    history = [
        Profile.of(content, date.fromisoformat(label) if dataset.is_daily else None)
        for label, (_, content) in zip(labels, found, strict=True)
    ]
    new = profile(session, dataset, partition, labels[:NEAREST])
    findings = [str(finding) for finding in judge(new, history, settings, complete=complete)]
    described = _describe(labels, replayed_from)
    if len(history) < FEWEST:
        log.info("%s: no verdict on anomalies: %s; at least %d are needed", name, described, FEWEST)
    elif not findings:
        log.info("%s: within the bounds of %s", name, described)
    elif attempt.accept is None:
        raise AnomalyError(dataset.name, partition, described, tuple(findings))
    else:
        log.warning("%s: out of bounds, accepted: %s\n%s", name, attempt.accept, "\n".join(findings))
    session.execute(
        "INSERT INTO load_profile (load_id, expected, profile, anomalies, accepted) VALUES (%s, %s, %s, %s, %s)",
        [
            load_id,
            None if expected is None else sorted(expected),
            Jsonb(new.content),
            findings,
            attempt.accept if findings else None,
        ],
    )


def _shifted(day: date, days: int) -> str:
    """Return the day that many days later, within what a date can be."""
    return date.fromordinal(min(max(day.toordinal() + days, 1), date.max.toordinal())).isoformat()


def _describe(labels: list[str], replayed_from: date | None) -> str:
    sample = " of sample data (recorded days that are replayed)" if replayed_from else ""
    ends = f", {min(labels)} to {max(labels)}" if labels and min(labels) != max(labels) else ""
    return f"{len(labels)} comparable load(s){sample}{ends}"
