"""Judges batches of rows by the contract of a dataset."""

from __future__ import annotations

import datetime as dt
import tempfile
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING, Any, get_args

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from include.core.dates import local_day, utc_range
from include.core.warehouse.dataset import LONGEST_KEY, Ambiguous, Violation
from include.core.warehouse.validation.batch import LINE, Judged
from include.core.warehouse.validation.expressions import (
    Names,
    column_expressions,
    literal,
    name,
    rule_expression,
)
from include.core.warehouse.validation.functions import (
    MICROSECONDS,
    Times,
    canonical,
    each,
    is_less,
    numeric,
    problem_of,
    whole,
)
from include.core.warehouse.validation.rejections import Rejections, RowRule, as_sent

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from include.core.warehouse.dataset import Dataset, Partition, Type
    from include.core.warehouse.rules import ColumnRule
    from include.core.warehouse.validation.batch import Batch
    from include.core.warehouse.validation.rejections import Row

MEMORY, THREADS, DISK = "128MB", 2, "20GB"

ARROW: dict[Type, pa.DataType] = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "double precision": pa.float64(),
    "numeric": pa.string(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
}


def accepted_schema(dataset: Dataset) -> pa.Schema:
    """Return the schema of accepted rows, see :class:`~include.core.warehouse.validation.batch.Judged`."""
    return pa.schema([(LINE, pa.int64()), *((column.name, ARROW[column.type]) for column in dataset.columns)])


@contextmanager
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Open an empty DuckDB in memory, which reaches no network, and no file but its own temporary ones."""
    with tempfile.TemporaryDirectory(prefix="spellbook-duckdb-") as folder:
        settings: dict[str, Any] = {
            "memory_limit": MEMORY,
            "threads": THREADS,
            "temp_directory": folder,
            "max_temp_directory_size": DISK,
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }
        with duckdb.connect(config=settings) as connection:
            connection.execute("SET enable_external_access = false")  # last: it locks the other settings
            yield connection


class _Received:
    """What a prepared query reads: the table at the time of its execution."""

    def __init__(self, table: pa.Table) -> None:
        self.table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        table: Any = self.table
        return table.__arrow_c_stream__(requested_schema)


class Judge:
    """The compiled contract of a dataset.

    Args:
        connection: from :func:`database`.
        dataset: the contract.
        partition: value of the partition column: given to rows without the column, required of rows with it.
        nulls: texts that mean NULL in every column.
        line_column: column for the line of the row.
    """

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        dataset: Dataset,
        partition: Partition = None,
        nulls: Collection[str] = (),
        line_column: str | None = None,
    ) -> None:
        self.connection, self.dataset, self.nulls = connection, dataset, nulls
        self.line_column = line_column
        self.given: dict[str, str] = {line_column: name(LINE)} if line_column else {}
        self.day: dt.date | None = None
        if dataset.partition is not None and partition is not None:
            label = dataset.partition_label(partition)
            column = dataset.column(dataset.partition)
            self.given[column.name] = f"CAST({literal(label)} AS {'VARCHAR' if column.type == 'text' else column.type})"
            self.day = dt.date.fromisoformat(label) if dataset.day_column else None
        self.row_rules = [*map(self._column_rule, dataset.column_rules)]
        if self.day is not None and dataset.day_column is not None:
            self.row_rules.insert(0, self._day_rule(self.day, dataset.day_column))
        if long := [name for name in dataset.key if dataset.column(name).type in {"text", "numeric"}]:
            self.row_rules.append(_key_rule(long))
        compared = {column for rule in dataset.column_rules for column in rule.columns}
        self.compared = {*compared, *filter(None, [dataset.day_column])}
        self.schema = accepted_schema(dataset)
        self.received: _Received | None = None
        self._add_functions()

    def __call__(self, batch: Batch) -> Judged:
        """Judge the rows of a batch; the rejected ones are in the order of their lines."""
        if not len(batch.lines):
            return Judged(self.schema.empty_table(), batch.malformed)
        table = pa.table(
            {LINE: batch.lines}
            | {f"raw {column}": self._raw(column, cells) for column, cells in batch.cells.items()}
            | {f"kind {column}": kinds for column, kinds in batch.kinds.items()}
        )
        if self.received is None:
            self.received = _Received(table)
            self.connection.register("received", self.received)
            self.connection.execute(f"PREPARE judged AS {self._compile(batch)}")
        self.received.table = table
        result: Any = self.connection.sql("EXECUTE judged")
        judged: pa.Table = result.to_arrow_table()
        accepted = judged.select([LINE, *self.dataset.column_names]).cast(self.schema)
        problems = judged.select(range(accepted.num_columns, judged.num_columns))
        is_bad: Any = reduce(pc.or_, map(pc.is_valid, problems.columns))
        if not batch.malformed and not pc.any(is_bad).as_py():
            return Judged(accepted, ())
        rejections = Rejections(
            self.dataset, self.row_rules, self.compared, batch, accepted, problems, pc.indices_nonzero(is_bad)
        )
        return Judged(accepted.filter(pc.invert(is_bad)), rejections)

    def _raw(self, column: str, cells: pa.Array[Any]) -> pa.Array[Any]:
        return cells if self.dataset.column(column).type == "text" else pc.utf8_trim_whitespace(cells)

    def _compile(self, batch: Batch) -> str:
        """Return the query for batches with the same cells as this one.

        It returns the line, the columns of the dataset, and then a column of problems for each checked column and each
        rule of the whole row.
        """
        columns = {
            Names(column.name, is_typed=column.name in batch.kinds): column
            for column in self.dataset.columns
            if column.name in batch.cells
        }
        parts = [
            (its, column_expressions(column, self.dataset, its, self.nulls, self.given.get(column.name)))
            for its, column in columns.items()
        ]
        cells = [f"{part.cell} AS {its.cell}" for its, part in parts]
        values = [f"{part.value} AS {its.value}" for its, part in parts]
        values += [f"{value} AS {name(column)}" for column, value in self.given.items() if column not in batch.cells]
        problems = [f"{part.problem} AS {its.problem}" for its, part in parts]
        is_valid = " AND ".join(f"{its.problem} IS NULL" for its, _ in parts) or "true"
        rules = [
            f"CASE WHEN {is_valid} AND {rule.condition} THEN true END AS {name(f'rule {number}')}"
            for number, rule in enumerate(self.row_rules)
        ]
        returned = [name(LINE), *map(name, self.dataset.column_names), *(its.problem for its, _ in parts), *rules]
        return (
            f"WITH cells AS (SELECT {', '.join(['*', *cells])} FROM received),"  # noqa: S608  # quoted names and literals
            f" converted AS (SELECT {', '.join(['*', *values])} FROM cells),"
            f" checked AS (SELECT {', '.join(['*', *problems])} FROM converted)"
            f" SELECT {', '.join(returned)} FROM checked"
        )

    def _day_rule(self, day: dt.date, day_column: str) -> RowRule:
        zone = self.dataset.zone
        condition = f"{name(day_column)} IS DISTINCT FROM DATE '{day}'"
        if self.dataset.column(day_column).type != "date":
            first, following = (time.replace(tzinfo=None) for time in utc_range(day, zone))
            on_day = f"{name(day_column)} >= TIMESTAMP '{first}' AND {name(day_column)} < TIMESTAMP '{following}'"
            condition = f"coalesce(NOT ({on_day}), true)"

        rule = f"must lie on {day}, the requested day"
        if self.dataset.column(day_column).pii:
            return RowRule(condition, lambda *_: Violation(day_column, rule))

        def describe(row: Row, received: object) -> Violation:
            message = f"{day_column}: {rule}, not on {local_day(row[day_column], zone)}"
            return Violation(day_column, rule, as_sent(received), message)

        return RowRule(condition, describe, day_column)

    def _column_rule(self, rule: ColumnRule) -> RowRule:
        is_personal = any(self.dataset.column(column).pii for column in rule.columns)

        def describe(row: Row, _: object) -> Violation:
            values = None if is_personal else ", ".join(str(row[column]) for column in rule.columns)
            return Violation(rule.left, rule.text, values)

        return RowRule(rule_expression(rule, self.dataset), describe)

    def _add_functions(self) -> None:
        """Make the functions of :mod:`~include.core.warehouse.validation.functions` known to the queries."""

        def add(function: str, implementation: Any, result: str, *arguments: str) -> None:
            create: Any = self.connection.create_function
            create(function, implementation, list(arguments), result, type="arrow", null_handling="special")

        add("is_less", is_less, "BOOLEAN", "VARCHAR", "VARCHAR")
        add("canonical", each(canonical, pa.string()), "VARCHAR", "VARCHAR")
        add("problem_numeric", problem_of(numeric), "VARCHAR", "VARCHAR")
        for kind, bits, arrow in (("integer", 32, pa.int32()), ("bigint", 64, pa.int64())):
            add(f"read_{kind}", each(whole(bits), arrow), kind, "VARCHAR")
            add(f"problem_{kind}", problem_of(whole(bits)), "VARCHAR", "VARCHAR")
        for ambiguous in get_args(Ambiguous):
            times = Times(self.dataset.zone, ambiguous)
            add(f"from_local_{ambiguous}", times.from_local, "TIMESTAMP", "TIMESTAMP")
            add(f"read_time_{ambiguous}", each(times.read, MICROSECONDS), "TIMESTAMP", "VARCHAR")
            add(f"problem_time_{ambiguous}", problem_of(times.read), "VARCHAR", "VARCHAR")


def _key_rule(columns: Collection[str]) -> RowRule:
    violation = Violation(", ".join(columns), f"must take at most {LONGEST_KEY} bytes, as a key")
    size = " + ".join(f"strlen(CAST({name(column)} AS VARCHAR))" for column in columns)
    return RowRule(f"{size} > {LONGEST_KEY}", lambda *_: violation)
