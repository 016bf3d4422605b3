"""Loads of a dataset, as its log has them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, datetime

from psycopg import sql


@dataclass(frozen=True)
class Load:
    """A committed load; the attributes are columns of ``load_log``."""

    load_id: int
    dataset: str
    partition_key: str
    dag_id: str
    run_id: str
    rows_in: int
    loaded: int
    quarantined: int
    changed: int
    removed: int
    complete: bool
    missing: list[str]
    replayed_from: date | None
    finished_at: datetime


COLUMNS = sql.SQL(", ").join(sql.Identifier("load_log", field.name) for field in fields(Load))
