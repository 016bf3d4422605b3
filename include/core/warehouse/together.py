"""Rows that belong together, such as the lines of an invoice, are loaded together or not at all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.types.json import Jsonb

from include.core.warehouse.dataset import HIDDEN, Dataset, Rejected

if TYPE_CHECKING:
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
    return [_split(names, row, group) for row, group in removed], tuple(lacking)


def _split(names: str, row: object, group: object) -> Rejected:
    values = tuple(map(str, group)) if isinstance(group, list) else ()
    reason = f"{names}: another row of {', '.join(values)} was rejected, and they belong together"
    return Rejected(row if isinstance(row, dict) else {}, reason, values)
