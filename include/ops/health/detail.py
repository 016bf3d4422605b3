"""What is known of one dataset: rows, quarantine, loads, profiles, the points of its chart."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from include.core.warehouse.dataset import HIDDEN, NUMBERS
from include.ops.health.loads import COLUMNS, Load

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session
    from include.core.warehouse.dataset import Chart, Dataset

SHOWN_ROWS, SHOWN_REJECTED, SHOWN_LOADS, SHOWN_PROFILES = 100, 50, 20, 60
SHOWN_LENGTH = 200  # characters of a value
POINTS, LINES = 3_000, 8
LOADS = sql.SQL("SELECT {} FROM load_log WHERE dataset = %s ORDER BY load_id DESC LIMIT %s").format(COLUMNS)
REJECTED = """
    SELECT partition_key, dag_id, run_id, left(source_row::text, 1000) AS source_row, left(reason, 1000) AS reason,
        quarantined_at
    FROM quarantine WHERE dataset = %s ORDER BY quarantined_at DESC, load_id DESC LIMIT %s
"""
PROFILES = """
    SELECT load_log.partition_key, profile FROM load_profile JOIN load_log USING (load_id)
    WHERE dataset = %s AND complete ORDER BY load_id DESC LIMIT %s
"""


@dataclass(frozen=True)
class RejectedRow:
    """A row in quarantine, masked as it is stored."""

    partition_key: str
    dag_id: str
    run_id: str
    source_row: str
    reason: str
    quarantined_at: datetime


class Measure(NamedTuple):
    """A statistic of the loads, oldest first.

    Attributes:
        name: what is measured.
        values: by load: its partition, and the value.
        lowest: smallest value of the loads before the newest; ``None`` if it is the only one.
        highest: their largest value.
    """

    name: str
    values: list[tuple[str, float]]
    lowest: float | None
    highest: float | None


@dataclass(frozen=True)
class Detail:
    """What is known of a dataset.

    Attributes:
        rows: the newest rows, as text; personal data masked.
        rejected: the newest rows in quarantine.
        loads: the newest loads.
        measures: statistics of its complete loads.
        lines: the points of the chart by series.
    """

    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    rejected: list[RejectedRow] = field(default_factory=list)
    loads: list[Load] = field(default_factory=list)
    measures: list[Measure] = field(default_factory=list)
    lines: dict[str, list[tuple[float, float]]] = field(default_factory=dict)


def detail(session: Session, dataset: Dataset) -> Detail:
    """Return what is known of ``dataset``; without rows if it has no table."""
    with session.cursor(row_factory=class_row(Load)) as cursor:
        loads = cursor.execute(LOADS, [dataset.name, SHOWN_LOADS]).fetchall()
    with session.cursor(row_factory=class_row(RejectedRow)) as cursor:
        rejected = cursor.execute(REJECTED, [dataset.name, SHOWN_REJECTED]).fetchall()
    profiles: Any = session.execute(PROFILES, [dataset.name, SHOWN_PROFILES]).fetchall()
    exists = session.execute("SELECT to_regclass(quote_ident(%s))", [dataset.name]).fetchone() != (None,)
    return Detail(
        _rows(session, dataset) if exists else [],
        rejected,
        loads,
        _measures(dataset, list(reversed(profiles))),
        _lines(session, dataset, dataset.chart) if exists and dataset.chart else {},
    )


def _rows(session: Session, dataset: Dataset) -> list[tuple[str | None, ...]]:
    """Return the newest rows; masked values never leave the database."""
    shown = sql.SQL(", ").join(
        sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(sql.Identifier(column.name), sql.Literal(HIDDEN))
        if column.pii
        else sql.SQL("left({}::text, {})").format(sql.Identifier(column.name), sql.Literal(SHOWN_LENGTH))
        for column in dataset.columns
    )
    newest = dataset.partition or "loaded_at"
    others = [name for name in dataset.key if name != newest]
    order = sql.SQL(", ").join(
        [sql.SQL("{} DESC").format(sql.Identifier(newest)), *(sql.Identifier(name) for name in others)]
    )
    query = sql.SQL("SELECT {} FROM {} ORDER BY {} LIMIT {}").format(
        shown, sql.Identifier(dataset.name), order, sql.Literal(SHOWN_ROWS)
    )
    rows: Any = session.execute(query).fetchall()
    return list(rows)


def _measures(dataset: Dataset, profiles: list[tuple[str, dict[str, Any]]]) -> list[Measure]:
    """Return the number of rows, and the median of each number, of the loads."""
    series = {"rows": [(partition, float(profile["rows"])) for partition, profile in profiles]}
    for column in dataset.columns:
        if column.type in NUMBERS and not column.pii:
            known = [(partition, profile["statistics"].get(column.name, {})) for partition, profile in profiles]
            series[f"median of {column.name}"] = [
                (partition, float(values["median"])) for partition, values in known if "median" in values
            ]
    measures = []
    for name, values in series.items():
        if values:
            before = [value for _, value in values[:-1]]
            measures.append(Measure(name, values, min(before, default=None), max(before, default=None)))
    return measures


def _lines(session: Session, dataset: Dataset, chart: Chart) -> dict[str, list[tuple[float, float]]]:
    """Return the newest points of the chart by series, in order; the first :data:`LINES` series by name."""
    query = sql.SQL(
        "SELECT {series}::text, {x}, {y}::float8 FROM {table} WHERE {y} IS NOT NULL ORDER BY {x} DESC {limit}"
    )
    rows = session.execute(
        query.format(
            series=sql.Identifier(chart.series),
            x=sql.Identifier(chart.x),
            y=sql.Identifier(chart.y),
            table=sql.Identifier(dataset.name),
            limit=sql.SQL("LIMIT {}").format(sql.Literal(POINTS)),
        )
    ).fetchall()
    lines: dict[str, list[tuple[float, float]]] = {}
    for series, x, y in reversed(rows):
        lines.setdefault(str(series), []).append((_position(x), float(str(y))))
    return {name: lines[name] for name in sorted(lines)[:LINES]}


def _position(value: object) -> float:
    """Return a day or time as days since the year 1, another number as it is."""
    if isinstance(value, datetime):
        return value.toordinal() + (value.hour + value.minute / 60) / 24
    return float(value.toordinal()) if isinstance(value, date) else float(str(value))
