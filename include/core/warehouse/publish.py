"""Brings the published rows of a partition to the staged ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, LiteralString, NamedTuple

import psycopg
from psycopg import sql

from include.core.warehouse.dataset import LINEAGE
from include.core.warehouse.digest import Content, content, in_partition
from include.core.warehouse.errors import LoadError
from include.core.warehouse.stage import refusal

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Dataset

REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.RaiseException,
)
INSERT: LiteralString = "INSERT INTO {table} ({columns}, {lineage}) SELECT {columns}, {load_id}, now() FROM stage"
ONLY_CHANGED: LiteralString = """
    WHERE NOT EXISTS (
        SELECT FROM {table} AS target WHERE {same_key} AND ({current}) IS NOT DISTINCT FROM ({staged})
    )
    ON CONFLICT ({key}) DO UPDATE
    SET ({columns}, {lineage}) = ROW ({excluded}, excluded.load_id, excluded.loaded_at)
"""


class Published(NamedTuple):
    """What a load did to a partition; see :class:`~include.core.warehouse.loader.LoadResult`."""

    loaded: int
    changed: int
    removed: int
    digest: str


def publish(
    session: Session, dataset: Dataset, load_id: int, label: str, before: Content, *, removes: bool
) -> Published:
    """Insert or update the staged rows that differ from the published ones.

    Args:
        session: session with the stage.
        dataset: what is loaded.
        load_id: of the load.
        label: the partition, as text.
        before: content of the published partition.
        removes: whether rows of the partition that aren't staged are removed.

    Raises:
        LoadError: if the table refuses them, such as by a foreign key or a trigger that somebody added.
    """
    condition = in_partition(dataset, label)
    changed = _merge(session, dataset, load_id, label, is_empty=not before.rows)
    removed = _remove_others(session, dataset, condition) if before.rows and removes else 0
    after = content(session, dataset, dataset.name, condition)
    loaded = after.rows if removes or not before.rows else _count_loaded(session, dataset)
    return Published(loaded, changed, removed, after.digest)


def _merge(session: Session, dataset: Dataset, load_id: int, label: str, *, is_empty: bool) -> int:
    """Insert or update the staged rows that differ from the published ones, and return how many."""
    names = [sql.Identifier(name) for name in dataset.column_names]
    query = sql.SQL(INSERT if is_empty else INSERT + ONLY_CHANGED).format(
        table=sql.Identifier(dataset.name),
        columns=sql.SQL(", ").join(names),
        lineage=sql.SQL(", ").join(map(sql.Identifier, LINEAGE)),
        load_id=load_id,
        key=sql.SQL(", ").join(map(sql.Identifier, dataset.key)),
        same_key=_same_key(dataset),
        current=sql.SQL(", ").join(sql.SQL("target.{}").format(name) for name in names),
        staged=sql.SQL(", ").join(sql.SQL("stage.{}").format(name) for name in names),
        excluded=sql.SQL(", ").join(sql.SQL("excluded.{}").format(name) for name in names),
    )
    try:
        return session.execute(query).rowcount
    except REFUSED as error:
        raise LoadError(
            f"{dataset.name}, partition {label}: the table refuses the rows ({refusal(error, dataset)}); nothing was"
            " written. Declare the rule in the dataset, or remove it from the table."
        ) from (None if dataset.personal else error)


def _same_key(dataset: Dataset) -> sql.Composed:
    conditions = [sql.SQL("stage.{0} = target.{0}").format(sql.Identifier(name)) for name in dataset.key]
    return sql.SQL(" AND ").join(conditions)


def _remove_others(session: Session, dataset: Dataset, condition: sql.Composable) -> int:
    """Remove the partition's rows whose key isn't staged, and return how many."""
    return session.execute(
        sql.SQL("DELETE FROM {} AS target WHERE {} AND NOT EXISTS (SELECT FROM stage WHERE {})").format(
            sql.Identifier(dataset.name), condition, _same_key(dataset)
        )
    ).rowcount


def _count_loaded(session: Session, dataset: Dataset) -> int:
    """Return how many staged rows the table now holds."""
    query = sql.SQL("SELECT count(*) FROM {} AS target WHERE EXISTS (SELECT FROM stage WHERE {})").format(
        sql.Identifier(dataset.name), _same_key(dataset)
    )
    [number] = session.execute(query).fetchone() or [0]
    return int(str(number))
