"""The rules that staged rows must keep before any of them is published."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import sql

from include.core.warehouse.dataset import FLOATING, Column, Dataset
from include.core.warehouse.errors import AuditError, Violation

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from include.core.warehouse.connect import Session

EXAMPLES = 5


@dataclass(frozen=True)
class Rule:
    """A rule in words, and the SQL condition that holds for rows which break it."""

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
    for rule in rules(dataset, partition, expected):
        query = sql.SQL("SELECT to_jsonb(stage)::text, count(*) OVER () FROM stage WHERE {} LIMIT {}").format(
            rule.broken, EXAMPLES
        )
        if found := session.execute(query, rule.values).fetchall():
            violations.append(Violation(rule.text, int(str(found[0][1])), tuple(str(row) for row, _ in found)))
    if violations:
        raise AuditError(dataset.name, partition, tuple(violations))


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
    if dataset.complete_by is not None and expected is not None:
        yield Rule(
            f"{dataset.complete_by} is one of those asked for: {', '.join(sorted(expected))}",
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


def _row_count(
    dataset: Dataset, rows_in: int, expected: Collection[str] | None, expected_rows: int | None
) -> Iterator[Violation]:
    if expected_rows is not None and rows_in != expected_rows:
        yield Violation(f"exactly {expected_rows} row(s) come", rows_in)
    if expected is None and rows_in < dataset.minimum_rows:
        yield Violation(f"at least {dataset.minimum_rows} row(s) come", rows_in)
