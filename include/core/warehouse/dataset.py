"""Declares the contract of a table: its columns and the rows it accepts.

Free of heavy imports, so that a DAG file can import its dataset at the top.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from include.core.warehouse.calendar import EVERY_DAY, Calendar
from include.core.warehouse.history_settings import History
from include.core.warehouse.patterns import portable
from include.core.warehouse.rules import ColumnRule

if TYPE_CHECKING:
    from collections.abc import Mapping

Type = Literal[
    "bigint", "boolean", "date", "double precision", "integer", "numeric", "text", "timestamp with time zone"
]
FLOATING: frozenset[Type] = frozenset({"double precision", "numeric"})  # types that can hold NaN and infinity
NUMBERS: frozenset[Type] = FLOATING | {"bigint", "integer"}
PARTITION_TYPES: frozenset[Type] = frozenset({"bigint", "date", "integer", "text"})
DAY_TYPES: frozenset[Type] = frozenset({"date", "timestamp with time zone"})
LINEAGE = ("load_id", "loaded_at")
WHOLE_TABLE = "all"
HIDDEN = "(personal data)"
LONGEST_KEY = 2_000
"""Bytes of the texts and decimals in a key; an entry of PostgreSQL's index has at most 2,704."""

DAILY = timedelta(hours=30, minutes=30)
"""``freshness`` of a table that is loaded each day: a day, the six hours that a run may take, and half an hour."""

Partition = date | str | int | None
Ambiguous = Literal["earlier", "later", "reject"]
Duplicates = Literal["refuse", "reject"]


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
        pii: whether it holds personal data, which is masked in messages and in quarantine.
        allowed: the only accepted values, for text.
        pattern: regular expression that the whole text matches, see :func:`~include.core.warehouse.patterns.portable`.
        null_words: texts that mean NULL, such as ``N/A``.
        ambiguous: how to resolve a local time that occurs twice, when daylight saving time ends.
    """

    name: str
    type: Type
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    doc: str = ""
    pii: bool = False
    allowed: tuple[str, ...] = ()
    pattern: str | None = None
    null_words: tuple[str, ...] = ()
    ambiguous: Ambiguous = "earlier"


class Violation(NamedTuple):
    """A rule that a row breaks.

    Attributes:
        field: the column, or several; empty if it is the whole row.
        rule: the rule in words.
        value: the value as it may be shown; ``None`` for personal data, or if there is none.
        message: what a person reads; by default field, rule and value.
    """

    field: str
    rule: str
    value: str | None = None
    message: str | None = None

    def __str__(self) -> str:
        if self.message:
            return self.message
        where = f"{self.field}: " if self.field else ""
        got = "" if self.value is None else f" (got {self.value})"
        return f"{where}{self.rule}{got}"


class Rejected(NamedTuple):
    """A row that is stored in the table ``quarantine`` instead of being loaded.

    Attributes:
        row: the row, personal data masked, with its ``line`` and, if it is known, its ``file``.
        reason: why, for a person.
        group: values of the dataset's ``together`` columns as text; ``None`` if they aren't known.
        is_copy: whether it repeats a row that is loaded, so that nothing is lost.
        violations: the rules that it breaks, if the validation rejected it.
    """

    row: Mapping[str, object]
    reason: str
    group: tuple[str, ...] | None = None
    is_copy: bool = False
    violations: tuple[Violation, ...] = ()

    @classmethod
    def of(
        cls,
        row: Mapping[str, object],
        *violations: Violation,
        group: tuple[str, ...] | None = None,
        is_copy: bool = False,
    ) -> Rejected:
        """Reject a row for the rules that it breaks."""
        return cls(row, "; ".join(map(str, violations)), group, is_copy, violations)


@dataclass(frozen=True)
class Chart:
    """Columns that a dataset's page draws as lines.

    Attributes:
        x: column of the horizontal axis, a day, time or number.
        y: column of the vertical axis, a number.
        series: column whose values get a line each.
    """

    x: str
    y: str
    series: str


@dataclass(frozen=True)
class Dataset:
    """A table and its rules.

    Attributes:
        name: name of the table, and of the dataset in ``load_log``.
        columns: the published columns. ``load_id`` and ``loaded_at`` are added: the load that last changed the row.
        key: natural key; no two rows share it.
        partition: key column, such as a date; each load covers one value of it, or the table if it is ``None``.
        complete_by: column, such as a city, whose expected values a load can declare.
        minimum_rows: minimum number of rows of a load without expectations.
        day_column: date or time that must be on the day of the partition.
        timezone: time zone of these days, and of times without an offset in files.
        rules: rules between columns, in the form of :class:`~include.core.warehouse.rules.ColumnRule`.
        duplicates: what happens to rows with the same key. ``refuse``: the load is refused. ``reject``: of equal rows
            the first is kept and its copies are rejected; rows with different values are all rejected, since it is
            unknown which is right.
        freshness: maximum time between complete loads before an alert is sent; ``None`` for no alert.
        together: columns whose rows belong together, such as an invoice's number: a rejected row rejects all rows with
            the same values, and marks the load incomplete.
        calendar: the partitions that must exist, if the partition is a date; missing ones are reported.
        history: how each load is compared with the earlier ones.
        chart: columns that are drawn on the dataset's page in Airflow; ``None`` for no chart.
        only: a key column of text and its value, such as a model's name, if a load concerns only the partition's rows
            that have it, and the others are loaded on their own; ``None`` for all.

    Raises:
        ValueError: if the declaration contradicts itself; the message names the dataset and the column.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition: str | None = None
    complete_by: str | None = None
    minimum_rows: int = 1
    day_column: str | None = None
    timezone: str = "UTC"
    rules: tuple[str, ...] = ()
    freshness: timedelta | None = None
    together: tuple[str, ...] = ()
    calendar: Calendar = EVERY_DAY
    duplicates: Duplicates = "refuse"
    history: History = field(default_factory=History)
    chart: Chart | None = None
    only: tuple[str, str] | None = None

    def __post_init__(self) -> None:
        names = self.column_names
        for column in self.columns:
            if column.type not in get_args(Type):
                self._refuse(f"column {column.name!r} has type {column.type!r}; allowed: {', '.join(get_args(Type))}")
            if column.type not in NUMBERS and (column.minimum, column.maximum) != (None, None):
                self._refuse(f"column {column.name!r} has a range, but its type {column.type!r} isn't a number")
            if column.type != "text" and (column.allowed or column.pattern):
                self._refuse(f"column {column.name!r} has allowed values or a pattern, but its type isn't text")
            if column.pattern is not None:
                try:
                    portable(column.pattern)
                except ValueError as error:
                    self._refuse(f"column {column.name!r}: the pattern {column.pattern!r} {error}")
            if column.name in self.key and column.nullable:
                self._refuse(f"column {column.name!r} is part of the key and can't be nullable")
        if repeated := {name for name in names if names.count(name) > 1} | set(names) & set(LINEAGE):
            self._refuse(f"columns {sorted(repeated)} are declared twice or reserved ({LINEAGE})")
        if not self.key:
            self._refuse("the key is empty; name the columns that identify a row")
        for role, name in [("key", name) for name in self.key] + [
            ("complete_by", self.complete_by),
            ("day_column", self.day_column),
            *(("together", name) for name in self.together),
        ]:
            if name is not None and name not in names:
                self._refuse(f"{role} names {name!r}, which isn't among the columns {names}")
        if self.partition is not None:
            if self.partition not in self.key:
                self._refuse(f"partition {self.partition!r} must be part of the key {self.key}")
            if (declared := self.column(self.partition).type) not in PARTITION_TYPES:
                self._refuse(f"partition {self.partition!r} has type {declared!r}; allowed: {sorted(PARTITION_TYPES)}")
        if self.day_column is not None:
            if self.partition is None or self.column(self.partition).type != "date":
                self._refuse(f"day_column {self.day_column!r} needs a partition of type 'date'")
            if (declared := self.column(self.day_column).type) not in DAY_TYPES:
                self._refuse(f"day_column {self.day_column!r} has type {declared!r}; allowed: {sorted(DAY_TYPES)}")
        for name in self.together:
            if (declared := self.column(name).type) not in PARTITION_TYPES:
                self._refuse(f"together names {name!r} of type {declared!r}; allowed: {sorted(PARTITION_TYPES)}")
        try:
            _ = self.zone, self.column_rules
        except (ZoneInfoNotFoundError, ValueError) as error:
            self._refuse(f"timezone or rules: {error}")
        if unknown := sorted(self.history.columns - set(names)):
            self._refuse(f"history names {unknown}, which aren't among the columns {names}")
        for item in self.history.recurring:
            if self.partition is None or not item.by or self.partition in item.by:
                self._refuse(f"history: {item.column!r} needs a partitioned table, and columns besides the partition")
            if self.column(item.column).type not in NUMBERS or item.column in {*self.personal, *item.by}:
                self._refuse(
                    f"history: {item.column!r} must be a number, without personal data, and not among {item.by}"
                )

        if self.chart is not None:
            self._check_chart(self.chart)
        if self.only and (self.only[0] not in self.key or self.column(self.only[0]).type != "text"):
            self._refuse(f"only names {self.only[0]!r}, which isn't a text in the key {self.key}")

    def _check_chart(self, chart: Chart) -> None:
        axes = {"x": (chart.x, NUMBERS | DAY_TYPES), "y": (chart.y, NUMBERS), "series": (chart.series, frozenset())}
        for role, (name, allowed) in axes.items():
            if name not in self.column_names:
                self._refuse(f"chart: {role} names {name!r}, which isn't among the columns {self.column_names}")
            if allowed and (declared := self.column(name).type) not in allowed:
                self._refuse(f"chart: {role} names {name!r} of type {declared!r}; allowed: {sorted(allowed)}")
            if name in self.personal:
                self._refuse(f"chart: {role} names {name!r}, which holds personal data")

    def _refuse(self, message: str) -> None:
        raise ValueError(f"dataset {self.name!r}: {message}")

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the published columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def is_daily(self) -> bool:
        """Whether each partition is a day."""
        return self.partition is not None and self.column(self.partition).type == "date"

    @property
    def zone(self) -> ZoneInfo:
        """The time zone."""
        return ZoneInfo(self.timezone)

    @property
    def column_rules(self) -> tuple[ColumnRule, ...]:
        """The rules between columns."""
        types = {column.name: column.type for column in self.columns}
        return tuple(ColumnRule.parse(rule, types) for rule in self.rules)

    @property
    def personal(self) -> frozenset[str]:
        """Names of the columns that hold personal data."""
        return frozenset(column.name for column in self.columns if column.pii)

    def group(self, row: Mapping[str, object]) -> tuple[str, ...] | None:
        """Return the values of the ``together`` columns as text; ``None`` if there are none, or one is missing."""
        values = [row.get(name) for name in self.together]
        return None if not values or None in values else tuple(map(str, values))

    def column(self, name: str) -> Column:
        """Return the column called ``name``."""
        return next(column for column in self.columns if column.name == name)

    def partition_label(self, partition: Partition) -> str:
        """Return ``partition`` as text, in the form used by locks and logs.

        Raises:
            ValueError: if it doesn't match the type of the partition column; a datetime isn't accepted as a date.
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
