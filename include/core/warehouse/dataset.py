"""What a table holds and which rows it accepts, declared once.

Free of heavy imports, so that a DAG file may import its dataset at the top.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, get_args

if TYPE_CHECKING:
    from collections.abc import Mapping

Type = Literal[
    "bigint", "boolean", "date", "double precision", "integer", "numeric", "text", "timestamp with time zone"
]
FLOATING: frozenset[Type] = frozenset({"double precision", "numeric"})  # types that can hold NaN and infinity
NUMBERS: frozenset[Type] = FLOATING | {"bigint", "integer"}
PARTITION_TYPES: frozenset[Type] = frozenset({"bigint", "date", "integer", "text"})
LINEAGE = ("load_id", "loaded_at")
WHOLE_TABLE = "all"

DAILY = timedelta(hours=30, minutes=30)
"""``freshness`` of a table that is loaded each day: a day, the six hours that a run may take, and half an hour."""

Partition = date | str | int | None


@dataclass(frozen=True)
class Column:
    """One published column.

    Attributes:
        name: column name.
        type: PostgreSQL type, one of :data:`Type`.
        nullable: whether NULL is accepted.
        minimum: smallest accepted value, for numbers.
        maximum: largest accepted value, for numbers.
        doc: meaning and unit; becomes the column's comment in the database.
    """

    name: str
    type: Type
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    doc: str = ""


@dataclass(frozen=True)
class Rejected:
    """A row that isn't loaded but kept in the table ``quarantine``, with the reason in words."""

    row: Mapping[str, object]
    reason: str


@dataclass(frozen=True)
class Dataset:
    """A table and its rules.

    Attributes:
        name: name of the table, and of the dataset in ``load_log``.
        columns: the published columns. ``load_id`` and ``loaded_at`` are added: the load that last changed the row.
        key: natural key; no two rows share it.
        partition: the key column whose one value a load covers, such as a date; ``None`` if a load covers the table.
        complete_by: the column in which a load can be told to expect values, such as a city.
        minimum_rows: fewest rows that an answer may have, where a load isn't told what to expect.
        freshness: the longest time from one complete load to the next, else an alert; ``None`` if nobody waits.

    Raises:
        ValueError: if the declaration contradicts itself; the message names the dataset and the column.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition: str | None = None
    complete_by: str | None = None
    minimum_rows: int = 1
    freshness: timedelta | None = None

    def __post_init__(self) -> None:
        names = self.column_names
        for column in self.columns:
            if column.type not in get_args(Type):
                self._refuse(f"column {column.name!r} has type {column.type!r}; allowed: {', '.join(get_args(Type))}")
            if column.type not in NUMBERS and (column.minimum, column.maximum) != (None, None):
                self._refuse(f"column {column.name!r} has a range, but its type {column.type!r} isn't a number")
            if column.name in self.key and column.nullable:
                self._refuse(f"column {column.name!r} is part of the key and can't be nullable")
        if repeated := {name for name in names if names.count(name) > 1} | set(names) & set(LINEAGE):
            self._refuse(f"columns {sorted(repeated)} are declared twice, or are among {LINEAGE}, which each table has")
        if not self.key:
            self._refuse("the key is empty; name the columns that tell two rows apart")
        for role, name in [("key", name) for name in self.key] + [("complete_by", self.complete_by)]:
            if name is not None and name not in names:
                self._refuse(f"{role} names {name!r}, which isn't among the columns {names}")
        if self.partition is not None:
            if self.partition not in self.key:
                self._refuse(f"partition {self.partition!r} must be part of the key {self.key}")
            if (declared := self.column(self.partition).type) not in PARTITION_TYPES:
                self._refuse(f"partition {self.partition!r} has type {declared!r}; allowed: {sorted(PARTITION_TYPES)}")

    def _refuse(self, message: str) -> None:
        raise ValueError(f"dataset {self.name!r}: {message}")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the published columns, in order."""
        return tuple(column.name for column in self.columns)

    def column(self, name: str) -> Column:
        """Return the column called ``name``."""
        return next(column for column in self.columns if column.name == name)

    def partition_label(self, partition: Partition) -> str:
        """Return the one text for ``partition``, which locks and logs use.

        Raises:
            ValueError: if it doesn't fit the partition column; a datetime isn't taken for a date, since its time would
                be lost.
        """
        if self.partition is None:
            if partition is not None:
                self._refuse(f"has no partition column, but partition {partition!r} was given; give None")
            return WHOLE_TABLE
        kind = self.column(self.partition).type
        if kind == "date" and isinstance(partition, str):
            return date.fromisoformat(partition).isoformat()
        if kind == "date" and isinstance(partition, date) and not isinstance(partition, datetime):
            return partition.isoformat()
        if kind == "text" and isinstance(partition, str):
            return partition
        if kind in NUMBERS and isinstance(partition, int) and not isinstance(partition, bool):
            return str(partition)
        raise ValueError(f"dataset {self.name!r}: partition {partition!r} isn't a {kind} for {self.partition!r}")
