"""Rows that belong together, such as the lines of an invoice, are loaded together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.types.json import Jsonb

from include.core.warehouse.dataset import HIDDEN, Dataset, Rejected, Violation

if TYPE_CHECKING:
    from collections.abc import Mapping

    from include.core.warehouse.connect import Session
    from include.core.warehouse.quarantine import RejectedRows


def reject_split_groups(
    session: Session, dataset: Dataset, rejected: RejectedRows
) -> tuple[list[Rejected], tuple[str, ...]]:
    """Remove the rows from ``stage`` whose group has a rejected row; a rejected copy of a row doesn't count.

    Returns:
        The removed rows, as rejected ones, and what the load lacks because of them, in words.
    """
    if not dataset.together:
        return [], ()
    known = sorted(rejected.groups)
    names = ", ".join(dataset.together)
    lacking = [f"{names} {', '.join(group)}" for group in known]
    if known and _is_personal(dataset):
        lacking = [f"{len(known)} value(s) of {names}"]
    if rejected.without_group:
        lacking.append(f"{rejected.without_group} row(s) without a valid {names}")
    columns = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in dataset.together)
    removed = session.execute(
        sql.SQL(
            "DELETE FROM stage WHERE ({0}) IN (SELECT * FROM unnest({1})) RETURNING to_jsonb(stage) || %s, ARRAY[{0}]"
        ).format(columns, sql.SQL(", ").join([sql.SQL("%s::text[]")] * len(dataset.together))),
        [
            *([group[number] for group in known] for number in range(len(dataset.together))),
            Jsonb(dict.fromkeys(dataset.personal, HIDDEN)),
        ],
    ).fetchall()
    return [
        split_row(
            dataset, row if isinstance(row, dict) else {}, tuple(map(str, group if isinstance(group, list) else ()))
        )
        for row, group in removed
    ], tuple(lacking)


def split_row(dataset: Dataset, row: Mapping[str, object], group: tuple[str, ...]) -> Rejected:
    """Return a valid row as rejected with its group."""
    names, values = ", ".join(dataset.together), None if _is_personal(dataset) else ", ".join(group)
    message = f"{names}: another row of {values or HIDDEN} was rejected, and they belong together"
    return Rejected.of(row, Violation(names, "its group has a rejected row", values, message), group=group)


def _is_personal(dataset: Dataset) -> bool:
    return not dataset.personal.isdisjoint(dataset.together)
