"""The rules that staged rows must satisfy before they are published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, LiteralString

from psycopg import sql
from psycopg.types.json import Jsonb

from include.core.warehouse.dataset import FLOATING, HIDDEN, Column, Dataset, Type
from include.core.warehouse.digest import Content, aggregates
from include.core.warehouse.errors import AuditError, BrokenRule
from include.core.warehouse.patterns import portable
from include.core.warehouse.validation.expressions import number_text

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from include.core.warehouse.connect import Session
    from include.core.warehouse.rules import ColumnRule

EXAMPLES = 5
SORTED_FAST: frozenset[Type] = frozenset({"bigint", "date", "integer", "timestamp with time zone"})
ENDS: dict[Type, tuple[str, str]] = {
    "date": ("0001-01-01", "9999-12-31"),
    "timestamp with time zone": ("0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00"),
}
"""The first and last day or time that Python and DuckDB can read."""

HASHES_ALONE = """
    SELECT set_config('enable_presorted_aggregate', 'off', true)
    WHERE current_setting('enable_presorted_aggregate', true) IS NOT NULL
"""
"""PostgreSQL 16 and later would sort the whole rows to count distinct values of an expression."""


@dataclass(frozen=True)
class Rule:
    """A rule in words, and the SQL condition that is true for rows that break it."""

    text: str
    broken: sql.Composed


def audit(
    session: Session,
    dataset: Dataset,
    partition: str,
    rows_in: int,
    expected: Collection[str] | None,
    expected_rows: int | None,
    published: Content,
) -> bool:
    """Check the rows in ``stage``, and return whether they are exactly the published ones.

    Args:
        session: session with the stage.
        dataset: what is loaded.
        partition: its partition, as text.
        rows_in: rows received.
        expected: the values that the dataset's ``complete_by`` column must have.
        expected_rows: exact number of rows that the source announced.
        published: content of the published partition; with no rows, the staged ones aren't compared.

    Raises:
        AuditError: with every broken rule and the first rows that break it.
    """
    violations = [*_row_count(dataset, rows_in, expected, expected_rows)]
    masked = sql.Literal(Jsonb(dict.fromkeys(dataset.personal, HIDDEN)))
    by_column = (rule for column in dataset.columns for rule in column_rules(column))
    checked = [*by_column, *table_rules(dataset), *_load_rules(dataset, partition, expected)]
    staged = aggregates(dataset) if published.rows else sql.SQL("0, 0")
    selected = sql.SQL(", ").join([staged, *map(_count, checked)])
    rows, total, *counts = session.execute(_from_stage(selected)).fetchone() or (0, 0)
    is_same = published.rows > 0 and Content.of(rows, total) == published
    if not is_same and _may_repeat(session, dataset):  # the table's key has shown that published keys don't
        checked.append(_key_rule(dataset))
        counts += session.execute(_from_stage(_count(checked[-1]))).fetchone() or ()
    for rule, count in zip(checked, counts, strict=True):
        if count:
            examples = _from_stage(sql.SQL("(to_jsonb(stage) || {})::text").format(masked))
            query = examples + sql.SQL(" WHERE {} LIMIT {}").format(rule.broken, EXAMPLES)
            rows = session.execute(query).fetchall()
            violations.append(BrokenRule(rule.text, int(str(count)), tuple(str(row) for (row,) in rows)))
    if violations:
        raise AuditError(dataset.name, partition, tuple(violations))
    return is_same


def _count(rule: Rule) -> sql.Composed:
    return sql.SQL("count(*) FILTER (WHERE {})").format(rule.broken)


def _from_stage(selected: sql.Composable) -> sql.Composed:
    return sql.SQL("SELECT {} FROM stage").format(selected)


def table_rules(dataset: Dataset) -> Iterator[Rule]:
    """Yield the rules between a row's columns; dbt tests its sources by them too."""
    if dataset.day_column is not None and dataset.partition is not None:
        yield _day_rule(dataset, dataset.day_column, dataset.partition)
    for between in dataset.column_rules:
        yield Rule(str(between), _broken(between, dataset))


def column_rules(column: Column) -> Iterator[Rule]:
    """Yield the rules of a column; dbt tests its sources by them too."""

    def rule(text: str, broken: LiteralString, *values: sql.Composable) -> Rule:
        return Rule(f"{column.name} {text}", sql.SQL(broken).format(sql.Identifier(column.name), *values))

    if not column.nullable:
        yield rule("is not null", "{} IS NULL")
    if column.type in FLOATING:  # NaN sorts above infinity
        yield rule("is a finite number", "{0} >= 'Infinity' OR {0} = '-Infinity'")
    if column.type in ENDS:
        first, last = map(sql.Literal, ENDS[column.type])
        yield rule("is in the years 1 to 9999", "{0} < {1} OR {0} > {2}", first, last)
    if column.minimum is not None:
        bound = number_text(column.minimum)
        yield rule(f"is at least {bound}", "{} < {}", sql.SQL(bound))
    if column.maximum is not None:
        bound = number_text(column.maximum)
        yield rule(f"is at most {bound}", "{} > {}", sql.SQL(bound))
    if column.allowed:
        words = sql.SQL(", ").join(map(sql.Literal, column.allowed))
        yield rule(f"is one of {', '.join(column.allowed)}", "{} NOT IN ({})", words)
    if column.pattern is not None:
        pattern = sql.Literal(f"^(?:{portable(column.pattern)})$")
        yield rule(f"matches {column.pattern}", '{} COLLATE "C" !~ {}', pattern)


def _day_rule(dataset: Dataset, day_column: str, partition: str) -> Rule:
    day: sql.Composable = sql.Identifier(day_column)
    if dataset.column(day_column).type != "date":
        day = sql.SQL("({} AT TIME ZONE {})::date").format(day, sql.Literal(dataset.timezone))
    return Rule(
        f"{day_column} is on the day in {partition} (time zone {dataset.timezone})",
        sql.SQL("{} IS DISTINCT FROM {}").format(day, sql.Identifier(partition)),
    )


def _broken(rule: ColumnRule, dataset: Dataset) -> sql.Composed:
    mixed = {dataset.column(name).type for name in rule.columns} == FLOATING

    def side(name: str) -> sql.Composable:
        # Compared with all digits of both, where PostgreSQL would round the numeric.
        is_rounded = mixed and dataset.column(name).type == "double precision"
        return sql.SQL("{}::text::numeric" if is_rounded else "{}").format(sql.Identifier(name))

    right = side(rule.right) if isinstance(rule.right, str) else sql.Literal(rule.right)
    broken = sql.SQL("NOT {} {} {}").format(side(rule.left), sql.SQL(rule.comparison), right)
    if rule.exempt:
        column, prefix = rule.exempt
        exempt = sql.SQL(" AND NOT coalesce(starts_with({}, {}), false)")
        broken += exempt.format(sql.Identifier(column), sql.Literal(prefix))
    return broken


def _may_repeat(session: Session, dataset: Dataset) -> bool:
    """Return whether two rows may share the key: a number is sorted in half the time of comparing whole keys.

    It is the key itself if that is one, which is often sorted already, else a hash.
    """
    session.execute(HASHES_ALONE)
    key: sql.Composable = sql.SQL(", ").join(map(sql.Identifier, dataset.key))
    if len(dataset.key) > 1 or dataset.column(dataset.key[0]).type not in SORTED_FAST:
        key = sql.SQL("hash_record_extended(ROW({}), 0)").format(key)
    query = _from_stage(sql.SQL("count(DISTINCT {}) < count(*)").format(key))
    return session.execute(query).fetchone() == (True,)


def _key_rule(dataset: Dataset) -> Rule:
    key = sql.SQL(", ").join(map(sql.Identifier, dataset.key))
    return Rule(
        f"no two rows share the key ({', '.join(dataset.key)})",
        sql.SQL("({0}) IN (SELECT {0} FROM stage GROUP BY {0} HAVING count(*) > 1)").format(key),
    )


def _load_rules(dataset: Dataset, partition: str, expected: Collection[str] | None) -> Iterator[Rule]:
    if dataset.partition is not None:
        yield Rule(
            f"{dataset.partition} is {partition}",
            sql.SQL("{} <> {}").format(sql.Identifier(dataset.partition), sql.Literal(partition)),
        )
    if dataset.only is not None:
        name, value = dataset.only
        yield Rule(f"{name} is {value}", sql.SQL("{} <> {}").format(sql.Identifier(name), sql.Literal(value)))
    if dataset.complete_by is not None and expected is not None:
        yield Rule(
            f"{dataset.complete_by} is one of those expected: {', '.join(sorted(expected))}",
            sql.SQL("{}::text <> ALL({})").format(sql.Identifier(dataset.complete_by), sql.Literal(list(expected))),
        )


def _row_count(
    dataset: Dataset, rows_in: int, expected: Collection[str] | None, expected_rows: int | None
) -> Iterator[BrokenRule]:
    if expected_rows is not None and rows_in != expected_rows:
        yield BrokenRule(f"exactly {expected_rows} row(s) are expected", rows_in)
    if expected is None and rows_in < dataset.minimum_rows:
        yield BrokenRule(f"at least {dataset.minimum_rows} row(s) are expected", rows_in)
