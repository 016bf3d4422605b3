"""Loads a partition in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import pq, sql

from include.core.warehouse import guards
from include.core.warehouse.anomalies.compare import compare
from include.core.warehouse.audit import audit
from include.core.warehouse.dataset import Dataset, Partition, Rejected
from include.core.warehouse.digest import Content, content, in_partition
from include.core.warehouse.errors import IncompleteLoadError, LoadError
from include.core.warehouse.preview.load import preview_load
from include.core.warehouse.publish import Published, publish
from include.core.warehouse.quarantine import RejectedRows, quarantine
from include.core.warehouse.schema import create_table, exists
from include.core.warehouse.stage import Rows, analyze, copy_rows
from include.core.warehouse.together import reject_split_groups

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date, datetime

    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.connect import Session
    from include.core.warehouse.preview.model import LoadPreview

SHOWN_REJECTED = 5
SHOWN_MISSING = 20


@dataclass(frozen=True)
class LoadResult:
    """The result of a load that was committed, or previewed.

    Attributes:
        dataset: name of the dataset.
        partition: the partition, as text.
        load_id: key in ``load_log``; 0 for a preview.
        rows_in: rows received, both loaded and rejected.
        loaded: rows that the table holds from this load.
        quarantined: rows quarantined with a reason; ``rows_in = loaded + quarantined``.
        changed: loaded rows that are new or were updated.
        removed: rows of the partition that were removed because a complete load doesn't contain them.
        missing: expected values of the dataset's ``complete_by`` column that weren't loaded, sorted; and what else the
            rows lack.
        complete: whether nothing is missing; without expectations, whether the quarantined rows are within tolerance.
        digest: :func:`~include.core.warehouse.digest.content` of the partition; empty for a preview.
    """

    dataset: str
    partition: str
    load_id: int
    rows_in: int
    loaded: int
    quarantined: int
    changed: int
    removed: int
    missing: tuple[str, ...]
    complete: bool
    digest: str

    def require_complete(self) -> LoadResult:
        """Return this result if the load was complete, or a preview, which reports what is missing.

        Raises:
            IncompleteLoadError: naming dataset, partition and what is missing. The received rows are published.
        """
        if self.complete or not self.load_id:
            return self
        more = f" and {len(self.missing) - SHOWN_MISSING} more" if len(self.missing) > SHOWN_MISSING else ""
        listed = ", ".join(self.missing[:SHOWN_MISSING]) + more
        problem = f"missing: {listed}" if listed else f"{self.quarantined} row(s) were rejected"
        raise IncompleteLoadError(
            f"{self.dataset}, partition {self.partition}: incomplete, {problem}. {self.loaded} of {self.rows_in} row(s)"
            f" are loaded and marked incomplete; table quarantine holds the rejected ones with load_id {self.load_id}."
            " Rerun the task when the source has the rest."
        )


def load(
    session: Session,
    dataset: Dataset,
    *,
    partition: Partition,
    rows: Rows,
    attempt: Attempt,
    rejected: Iterable[Rejected] = (),
    expected: Collection[str] | None = None,
    expected_rows: int | None = None,
    replace: bool = True,
    tolerance: float = 0.0,
    strict: bool = False,
    replayed_from: date | None = None,
    requested_at: datetime | None = None,
    lacking: Collection[str] = (),
) -> LoadResult:
    """Publish ``rows`` as one partition of ``dataset``, whose table is created or widened first.

    A complete load replaces the partition: rows that it doesn't contain are removed. An incomplete one only inserts and
    updates. An attempt that previews takes the same steps up to the merge, compares the stage with the published rows
    instead, and rolls back; it takes no lock that another load waits for.

    Args:
        session: session without an open transaction, from :func:`~include.core.warehouse.connect.connect`.
        dataset: what to load.
        partition: value of the partition column in every row; ``None`` for a dataset without one.
        rows: from :func:`~include.core.warehouse.validation.validate.validated`; or mappings, which may include
            rejected rows, or a frame, with exactly the dataset's columns. They are read while the lock is held, so
            don't download them lazily.
        attempt: the task attempt that loads.
        rejected: rows that an earlier step rejected, with the reason.
        expected: the values that the dataset's ``complete_by`` column must have; no others are allowed.
        expected_rows: exact number of rows, loaded and rejected, if the source announces it.
        replace: ``False`` for a partial load, such as of one city: nothing is removed.
        strict: refuse the load if more rows are rejected than ``tolerance`` allows, instead of marking it incomplete.
        tolerance: maximum share of rejected rows in a complete load without expectations.
        replayed_from: the recorded day that the rows replay, if they are sample data; stored in ``load_log``.
        requested_at: when the source was asked, or its rows were read: rows never replace others requested later.
        lacking: what is missing in the rows' own input, such as days in a month's totals; marks the load incomplete.

    Raises:
        AuditError: if staged rows break a rule.
        AnomalyError: if they differ too much from the dataset's history, and ``attempt`` doesn't accept it.
        SchemaMismatchError: if the table differs from the dataset's declaration.
        StaleAttemptError: if a newer attempt of the same task instance has loaded.
        SupersededError: if rows that were requested later are published.
        LoadError: if a row doesn't have the declared columns, or rows were lost.
        ValueError: if partition or expectations don't match the dataset.
        psycopg.OperationalError: if the database is unavailable or busy; can be retried.
    """
    label = dataset.partition_label(partition)
    _check_expectations(dataset, expected)
    if session.info.transaction_status != pq.TransactionStatus.IDLE:
        raise ValueError("load() needs a transaction of its own; commit or roll back the session's open one first")
    is_preview = attempt.previews is not None
    covers = [dataset.only[1]] if dataset.only else expected
    with session.transaction(force_rollback=is_preview):
        create_table(session, dataset)
    with RejectedRows() as refused, session.transaction(force_rollback=is_preview):
        if is_preview:
            session.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        else:
            # Each statement must see rows committed by another load while this one waited for the lock.
            session.execute("SET TRANSACTION ISOLATION LEVEL READ COMMITTED")
            guards.lock(session, dataset.name, label)
            guards.fence(session, dataset.name, label, attempt)
            guards.require_newest(session, dataset.name, label, requested_at, covers)
        refused.add(rejected)
        rows_in = len(refused)
        rows_in += copy_rows(session, dataset, label, rows, refused)
        is_tolerated = len(refused) <= tolerance * rows_in
        if strict and not is_tolerated:
            raise LoadError(_rejection_message(dataset, label, rows_in, refused, tolerance))
        split, lost = reject_split_groups(session, dataset, refused)
        refused.add(split)
        condition = in_partition(dataset, label)
        before = Content(0, "") if is_preview else content(session, dataset, dataset.name, condition)
        is_same = audit(session, dataset, label, rows_in, expected, expected_rows, before)
        if is_preview or dataset.partition is not None or (before.rows and not is_same):
            analyze(session, dataset)
        missing = _missing(session, dataset, expected)
        complete = not missing and (expected is not None or is_tolerated)
        load_id = _number(session, sql.SQL("SELECT nextval(pg_get_serial_sequence('load_log', 'load_id'))"))
        if not is_preview or exists(session, dataset.name):
            whole = complete and not (lacking or lost)
            compare(session, dataset, label, load_id, attempt, whole, expected, replayed_from)
        if attempt.previews is not None:
            preview = preview_load(
                session,
                dataset,
                label,
                rows_in=rows_in,
                rejected=refused,
                missing=(*missing, *lacking, *lost),
                complete=complete and not (lacking or lost),
                removes=complete and replace,
            )
            attempt.previews.append(preview)
            return _previewed(preview)
        published = (
            Published(before.rows, 0, 0, before.digest)
            if is_same
            else publish(session, dataset, load_id, label, before, removes=complete and replace)
        )
        covered = None if covers is None else sorted(set(covers) - set(missing))
        quarantined = quarantine(session, dataset.name, label, attempt, load_id, refused)
        result = LoadResult(
            dataset=dataset.name,
            partition=label,
            load_id=load_id,
            rows_in=rows_in,
            loaded=published.loaded,
            quarantined=quarantined,
            changed=published.changed,
            removed=published.removed,
            missing=(*missing, *lacking, *lost),
            complete=complete and not (lacking or lost),
            digest=published.digest,
        )
        if result.loaded + result.quarantined != rows_in:
            raise LoadError(
                f"{dataset.name}, partition {label}: {rows_in} row(s) received, but {result.loaded} loaded and"
                f" {result.quarantined} quarantined; nothing was written. Check the table for a trigger that drops"
                " rows."
            )
        provenance = {"replayed_from": replayed_from, "requested_at": requested_at, "covered": covered}
        _log(session, result, attempt, provenance)
    return result


def _previewed(preview: LoadPreview) -> LoadResult:
    return LoadResult(
        dataset=preview.dataset,
        partition=preview.partition,
        load_id=0,
        rows_in=preview.rows.read,
        loaded=preview.rows.accepted,
        quarantined=preview.rows.rejected,
        changed=preview.changes.added + preview.changes.changed,
        removed=preview.changes.removed,
        missing=tuple(preview.missing),
        complete=preview.complete,
        digest="",
    )


def _rejection_message(dataset: Dataset, label: str, rows_in: int, rejected: RejectedRows, tolerance: float) -> str:
    first = "".join(
        f"\n  - line {item.row.get('line', '?')}: {item.reason}" for item in rejected.first[:SHOWN_REJECTED]
    )
    return (
        f"{dataset.name}, partition {label}: {len(rejected)} of {rows_in} rows are invalid"
        f" ({len(rejected) / rows_in:.1%}); allowed: {tolerance:.1%}. Nothing was written. First rows:{first}"
    )


def _check_expectations(dataset: Dataset, expected: Collection[str] | None) -> None:
    if expected is None:
        return
    if dataset.complete_by is None:
        raise ValueError(f"dataset {dataset.name!r} has no complete_by column, so expected must be None")
    if isinstance(expected, str) or not expected:
        raise ValueError(f"dataset {dataset.name!r}: expected is {expected!r}; give one or more values, or None")


def _missing(session: Session, dataset: Dataset, expected: Collection[str] | None) -> tuple[str, ...]:
    if expected is None or dataset.complete_by is None:
        return ()
    column = sql.Identifier(dataset.complete_by)
    loaded = {str(value) for (value,) in session.execute(sql.SQL("SELECT DISTINCT {}::text FROM stage").format(column))}
    return tuple(sorted(set(expected) - loaded))


def _number(session: Session, query: sql.SQL | sql.Composed) -> int:
    [number] = session.execute(query).fetchone() or [0]
    return int(str(number))


def _log(session: Session, result: LoadResult, attempt: Attempt, provenance: Mapping[str, object]) -> None:
    # A clock that is ahead, such as a file's, must not make later loads look old.
    session.execute(
        """
        INSERT INTO load_log (
            load_id, dataset, partition_key, dag_id, task_id, run_id, map_index, try_number, rows_in, loaded,
            quarantined, changed, removed, complete, missing, digest, replayed_from, requested_at, covered,
            started_at, finished_at
        )
        VALUES (
            %(load_id)s, %(dataset)s, %(partition)s, %(dag_id)s, %(task_id)s, %(run_id)s, %(map_index)s,
            %(try_number)s, %(rows_in)s, %(loaded)s, %(quarantined)s, %(changed)s, %(removed)s, %(complete)s,
            %(missing)s, %(digest)s, %(replayed_from)s,
            CASE WHEN %(requested_at)s::timestamptz IS NOT NULL THEN least(%(requested_at)s, clock_timestamp()) END,
            %(covered)s, now(), clock_timestamp()
        )
        """,
        vars(result)
        | attempt.identity
        | {"try_number": attempt.try_number, "missing": list(result.missing), **provenance},
    )
