"""The rules that staged rows must satisfy before they are published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql
from psycopg.types.json import Jsonb

from include.core.warehouse.dataset import FLOATING, HIDDEN, Column, Dataset
from include.core.warehouse.errors import AuditError, BrokenRule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from include.core.warehouse.connect import Session
    from include.core.warehouse.rules import ColumnRule

EXAMPLES = 5


@dataclass(frozen=True)
class Rule:
    """A rule in words, and the SQL condition that is true for rows that break it."""

    text: str
    broken: sql.Composed
    values: tuple[Any, ...] = ()


def audit(
    session: Session,
    dataset: Dataset,
    partition: str,
    rows_in: int,
    expected: Collection[str] | None,
    expected_rows: int | None,
) -> None:
    """Check the rows in ``stage``.

    Raises:
        AuditError: with every broken rule and the first rows that break it.
    """
    violations = [*_row_count(dataset, rows_in, expected, expected_rows)]
    masked = Jsonb(dict.fromkeys(dataset.personal, HIDDEN))
    checked = list(rules(dataset, partition, expected))
    counts = sql.SQL(", ").join(sql.SQL("count(*) FILTER (WHERE {})").format(rule.broken) for rule in checked)
    values = [value for rule in checked for value in rule.values]
    for rule, count in zip(checked, session.execute(_from_stage(counts), values).fetchone() or (), strict=True):
        if count:
            examples = sql.SQL("(to_jsonb(stage) || %s)::text")
            query = _from_stage(examples) + sql.SQL(" WHERE {} LIMIT {}").format(rule.broken, EXAMPLES)
            rows = session.execute(query, (masked, *rule.values)).fetchall()
            violations.append(BrokenRule(rule.text, int(str(count)), tuple(str(row) for (row,) in rows)))
    if violations:
        raise AuditError(dataset.name, partition, tuple(violations))


def _from_stage(selected: sql.Composable) -> sql.Composed:
    return sql.SQL("SELECT {} FROM stage").format(selected)


def rules(dataset: Dataset, partition: str, expected: Collection[str] | None) -> Iterator[Rule]:
    """Yield the rules for one load of ``dataset``."""
    for column in dataset.columns:
        yield from _column_rules(column)
    key = sql.SQL(", ").join(map(sql.Identifier, dataset.key))
    yield Rule(
        f"no two rows share the key ({', '.join(dataset.key)})",
        sql.SQL("({0}) IN (SELECT {0} FROM stage GROUP BY {0} HAVING count(*) > 1)").format(key),
    )
    if dataset.partition is not None:
        yield Rule(
            f"{dataset.partition} is {partition}",
            sql.SQL("{} <> {}").format(sql.Identifier(dataset.partition), sql.Placeholder()),
            (partition,),
        )
    if dataset.day_column is not None:
        yield _day_rule(dataset, dataset.day_column, partition)
    for between in dataset.column_rules:
        yield Rule(str(between), _broken(between))
    if dataset.complete_by is not None and expected is not None:
        yield Rule(
            f"{dataset.complete_by} is one of those expected: {', '.join(sorted(expected))}",
            sql.SQL("{}::text <> ALL({})").format(sql.Identifier(dataset.complete_by), sql.Placeholder()),
            (list(expected),),
        )


def _column_rules(column: Column) -> Iterator[Rule]:
    name = sql.Identifier(column.name)
    if not column.nullable:
        yield Rule(f"{column.name} is not null", sql.SQL("{} IS NULL").format(name))
    if column.type in FLOATING:
        # NaN sorts above infinity.
        yield Rule(
            f"{column.name} is a finite number",
            sql.SQL("{0} >= 'Infinity' OR {0} = '-Infinity'").format(name),
        )
    if column.minimum is not None:
        yield Rule(f"{column.name} is at least {column.minimum}", sql.SQL("{} < %s").format(name), (column.minimum,))
    if column.maximum is not None:
        yield Rule(f"{column.name} is at most {column.maximum}", sql.SQL("{} > %s").format(name), (column.maximum,))
    if column.allowed:
        yield Rule(
            f"{column.name} is one of {', '.join(column.allowed)}",
            sql.SQL("{} <> ALL(%s)").format(name),
            (list(column.allowed),),
        )


def _day_rule(dataset: Dataset, day_column: str, partition: str) -> Rule:
    text = f"{day_column} is on {partition}, the day being loaded (time zone {dataset.timezone})"
    day: sql.Composable = sql.Identifier(day_column)
    if dataset.column(day_column).type != "date":
        day = sql.SQL("({} AT TIME ZONE {})::date").format(day, sql.Literal(dataset.timezone))
    return Rule(text, sql.SQL("{} IS DISTINCT FROM %s::date").format(day), (partition,))


def _broken(rule: ColumnRule) -> sql.Composed:
    right = sql.Identifier(rule.right) if isinstance(rule.right, str) else sql.Literal(rule.right)
    broken = sql.SQL("NOT {} {} {}").format(sql.Identifier(rule.left), sql.SQL(rule.comparison), right)
    if rule.exempt:
        column, prefix = rule.exempt
        exempt = sql.SQL(" AND NOT coalesce(starts_with({}, {}), false)")
        broken += exempt.format(sql.Identifier(column), sql.Literal(prefix))
    return broken


def _row_count(
    dataset: Dataset, rows_in: int, expected: Collection[str] | None, expected_rows: int | None
) -> Iterator[BrokenRule]:
    if expected_rows is not None and rows_in != expected_rows:
        yield BrokenRule(f"exactly {expected_rows} row(s) are expected", rows_in)
    if expected is None and rows_in < dataset.minimum_rows:
        yield BrokenRule(f"at least {dataset.minimum_rows} row(s) are expected", rows_in)
