"""Computes the profile of the staged rows in SQL."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from psycopg import sql

from include.core.warehouse.dataset import DAY_TYPES, NUMBERS, Column, Dataset

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.warehouse.connect import Session
    from include.core.warehouse.history_settings import Recurring

SAMPLE = 100_000
"""Rows that are profiled; of a larger stage, a repeatable sample of its blocks."""
LARGEST, DECIMALS = 1e100, 100  # so that no number or sum is out of range for double precision
WHOLE = {"bigint", "integer"}
MOST_VALUES = 50
VALUE_LENGTH = 100
QUANTILES = {"minimum": 0.0, "p05": 0.05, "p25": 0.25, "median": 0.5, "p75": 0.75, "p95": 0.95, "maximum": 1.0}
HOURS = tuple(f"{name} hour" for name in QUANTILES)
"""The quantiles of a time, in hours from the start of the day that is loaded."""
TABLE = ""
"""In place of a column, for what concerns the rows as a whole."""


@dataclass(frozen=True)
class Profile:
    """Statistics of the rows of one load.

    Attributes:
        rows: number of rows.
        statistics: numbers by column and name, see :mod:`include.core.warehouse.anomalies.judge`.
        shares: for each column of texts with few values, the share of the rows by value.
        day: the partition, if it is a day.
    """

    rows: int
    statistics: dict[str, dict[str, float]] = field(default_factory=dict)
    shares: dict[str, dict[str, float]] = field(default_factory=dict)
    day: date | None = None

    @classmethod
    def of(cls, content: Any, day: date | None) -> Profile:
        """Return the profile with :attr:`content`; JSON from the database has whole numbers as integers."""
        statistics = {name: _only(values) for name, values in content["statistics"].items()}
        return cls(content["rows"], statistics, content["shares"], day)

    @property
    def content(self) -> dict[str, Any]:
        """The profile as JSON, without the day."""
        return {"rows": self.rows, "statistics": self.statistics, "shares": self.shares}


def profile(session: Session, dataset: Dataset, partition: str, others: Sequence[str]) -> Profile:
    """Return the profile of the rows in ``stage``.

    Args:
        session: a session in the transaction that staged the rows.
        dataset: the rows' dataset.
        partition: label of the partition.
        others: labels of published partitions, the nearest first, with which the keys are compared.
    """
    rows = int(str((session.execute("SELECT count(*) FROM stage").fetchone() or [0])[0]))
    share = 100 * min(1.0, SAMPLE / max(1, rows))
    sample = sql.SQL("stage TABLESAMPLE SYSTEM ({}) REPEATABLE (0)").format(sql.Literal(share))
    day = date.fromisoformat(partition) if dataset.is_daily else None
    columns = [
        column
        for column in dataset.columns
        if column.name != dataset.partition and column.name not in dataset.history.ignored
    ]
    expressions = {column.name: _aggregates(column, dataset, day, rows) for column in columns}
    expressions[TABLE] = _repeated(dataset)
    selected = sql.SQL(", ").join(
        sql.SQL("jsonb_build_object({})").format(sql.SQL(", ").join(pair for item in items for pair in item))
        for items in expressions.values()
    )
    found = session.execute(sql.SQL("SELECT {} FROM {}").format(selected, sample)).fetchone() or ()
    statistics = {name: _numbers(values) for name, values in zip(expressions, found, strict=True)}
    few = [
        column
        for column in columns
        if column.type in {"text", "boolean"} and not column.pii
        if statistics[column.name].get("distinct", 0) <= MOST_VALUES
    ]
    if others:
        others = others[: max(1, len(others) * SAMPLE // max(rows, SAMPLE))]  # large partitions take long to read
        statistics[TABLE] |= _new_keys(session, dataset, sample, others)
        for item in dataset.history.recurring:
            statistics[item.column] |= _recurring(session, dataset, item, others)
    return Profile(rows, statistics, _shares(session, few, sample), day)


Pair = tuple[sql.Composable, sql.Composable]


def _aggregates(column: Column, dataset: Dataset, day: date | None, rows: int) -> list[Pair]:
    """Return name and expression of each aggregate; personal data is only counted."""
    name: sql.Composable = sql.Identifier(column.name)
    pairs = [("distinct", sql.SQL("count(DISTINCT {})").format(name))]
    if column.nullable:
        pairs.append(("null", sql.SQL("avg(({} IS NULL)::integer)").format(name)))
    if column.pii:
        return [(sql.Literal(key), value) for key, value in pairs]
    if column.type in NUMBERS and column.name not in dataset.key:
        number = sql.SQL("{}::double precision").format(name) if column.type in WHOLE else _bounded(name)
        pairs.append(("quantiles", _quantiles(number)))
        pairs.append(("sum", sql.SQL("sum({}) * {} / count(*)").format(number, rows)))
    elif column.type in DAY_TYPES and day is not None:
        local = name
        if column.type != "date":
            local = sql.SQL("({} AT TIME ZONE {})").format(name, sql.Literal(dataset.timezone))
        midnight = sql.Literal(day.isoformat())
        hours = _bounded(sql.SQL("(extract(epoch FROM {} - {}::timestamp) / 3600)").format(local, midnight))
        pairs.append(("hours", _quantiles(hours)))
    elif column.type == "text":
        pairs.append(("length", sql.SQL("avg(length({}))").format(name)))
    return [(sql.Literal(key), value) for key, value in pairs]


def _quantiles(number: sql.Composable) -> sql.Composed:
    return sql.SQL("to_jsonb(percentile_cont({}::float8[]) WITHIN GROUP (ORDER BY {}))").format(
        sql.Literal(list(QUANTILES.values())), number
    )


def _bounded(number: sql.Composable) -> sql.Composed:
    """Return a number as double precision, which can't hold every numeric."""
    return sql.SQL(
        "CASE WHEN {0} IS NOT NULL THEN"
        " round(greatest(least(({0})::numeric, {1}::numeric), -{1}::numeric), {2})::double precision END"
    ).format(number, sql.Literal(LARGEST), DECIMALS)


def _repeated(dataset: Dataset) -> list[Pair]:
    """The share of the rows that equal another one in everything but the key."""
    names = sql.SQL(", ").join(sql.Identifier(name) for name in dataset.column_names if name not in dataset.key)
    distinct = sql.SQL("count(DISTINCT hash_record_extended(ROW({}), 0))").format(names)
    return [(sql.Literal("repeated"), sql.SQL("1 - {}::double precision / nullif(count(*), 0)").format(distinct))]


def _numbers(values: Any) -> dict[str, float]:
    """Return what PostgreSQL computed, without the statistics of no rows."""
    quantiles, hours = (values.pop(name, None) or [] for name in ("quantiles", "hours"))
    named = values | dict(zip(QUANTILES, quantiles, strict=False)) | dict(zip(HOURS, hours, strict=False))
    return {name: float(value) for name, value in named.items() if value is not None}


def _shares(session: Session, columns: list[Column], sample: sql.Composed) -> dict[str, dict[str, float]]:
    if not columns:
        return {}
    pairs = sql.SQL(", ").join(
        sql.SQL("({}, left({}::text, {}))").format(
            sql.Literal(column.name), sql.Identifier(column.name), sql.Literal(VALUE_LENGTH)
        )
        for column in columns
    )
    query = sql.SQL(
        "SELECT pairs.name, pairs.value, count(*) / sum(count(*)) OVER (PARTITION BY pairs.name) FROM {}"
        " CROSS JOIN LATERAL (VALUES {}) AS pairs (name, value) WHERE pairs.value IS NOT NULL GROUP BY 1, 2"
    ).format(sample, pairs)
    shares: dict[str, dict[str, float]] = {column.name: {} for column in columns}
    for name, value, share in session.execute(query):
        shares[str(name)][str(value)] = float(str(share))
    return shares


def _new_keys(session: Session, dataset: Dataset, sample: sql.Composed, others: Sequence[str]) -> dict[str, float]:
    """The share of the keys that the other partitions don't have."""
    key = [name for name in dataset.key if name != dataset.partition]
    if not key or dataset.partition is None or set(key) & set(dataset.history.ignored):
        return {}
    query = sql.SQL(
        "SELECT avg((NOT EXISTS (SELECT FROM {table} AS target WHERE {partition} = ANY({others}) AND {same}))::integer)"
        " FROM {sample} WHERE EXISTS (SELECT FROM {table} AS target WHERE {partition} = ANY({others}))"
    ).format(
        table=sql.Identifier(dataset.name),
        partition=sql.Identifier("target", dataset.partition),
        others=_labels(dataset, others),
        same=_equal(key, "target", "stage"),
        sample=sample,
    )
    return _only({"new": (session.execute(query).fetchone() or [None])[0]})


def _recurring(session: Session, dataset: Dataset, item: Recurring, others: Sequence[str]) -> dict[str, float]:
    """Compare a column's values with those of the same key in other partitions.

    Returns:
        ``known``: share of the rows whose value occurs with their key, among the rows with a known key;
        ``unchanged``: share of the known keys whose mean is that of the nearest partition that has the key;
        ``change`` and ``large change``: median of the differences of these means, and 95th percentile of their sizes.
    """
    if dataset.partition is None:
        return {}
    keys = sql.SQL(", ").join(map(sql.Identifier, item.by))
    query = sql.SQL(
        """
        WITH reference AS MATERIALIZED (
            SELECT {keys}, {column}::numeric AS _value, array_position({others}, {partition}) AS _nearness
            FROM {table} WHERE {partition} = ANY({others}) AND {column} IS NOT NULL
        ), staged AS MATERIALIZED (
            SELECT {keys}, {column}::numeric AS _value FROM stage WHERE {column} IS NOT NULL
        ), nearest AS (
            SELECT DISTINCT ON ({keys}) {keys}, avg(_value) AS _value
            FROM reference GROUP BY {keys}, _nearness ORDER BY {keys}, _nearness
        ), changes AS (
            SELECT {change} AS change
            FROM (SELECT {keys}, avg(_value) AS _value FROM staged GROUP BY {keys}) AS now
            JOIN nearest AS before USING ({keys})
        ), known AS (
            SELECT avg((pairs._value IS NOT NULL)::integer) AS share
            FROM staged
            JOIN (SELECT DISTINCT {keys} FROM reference) AS same USING ({keys})
            LEFT JOIN (SELECT DISTINCT {keys}, _value FROM reference) AS pairs USING ({keys}, _value)
        )
        SELECT
            (SELECT share FROM known),
            avg((abs(change) < 1e-9)::integer),
            percentile_cont(0.5) WITHIN GROUP (ORDER BY change),
            percentile_cont(0.95) WITHIN GROUP (ORDER BY abs(change))
        FROM changes
        """
    ).format(
        keys=keys,
        change=_bounded(sql.SQL("now._value - before._value")),
        column=sql.Identifier(item.column),
        partition=sql.Identifier(dataset.partition),
        table=sql.Identifier(dataset.name),
        others=_labels(dataset, others),
    )
    names = ("known", "unchanged", "change", "large change")
    return _only(dict(zip(names, session.execute(query).fetchone() or (), strict=False)))


def _labels(dataset: Dataset, labels: Sequence[str]) -> sql.Composed:
    kind = dataset.column(str(dataset.partition)).type
    return sql.SQL("{}::{}[]").format(sql.Literal(list(labels)), sql.SQL(kind))


def _equal(names: Sequence[str], left: str, right: str) -> sql.Composed:
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, name), sql.Identifier(right, name)) for name in names
    )


def _only(values: dict[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}
