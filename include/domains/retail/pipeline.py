"""The steps of the retail DAGs, callable without Airflow."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

from include.core.csv_files.fetch import from_storage
from include.core.csv_files.load import load_csv
from include.core.errors import MissingInputError
from include.core.replay import describe_day, read_replayed_day
from include.core.storage import modified_at
from include.core.warehouse.connect import connect
from include.core.warehouse.lineage import read_at, replayed_from
from include.core.warehouse.loader import load
from include.core.warehouse.partitions import missing
from include.core.warehouse.schema import exists
from include.domains.retail.datasets import CSV_OPTIONS, LINES, SALES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult

log = logging.getLogger(__name__)


class NoLinesError(MissingInputError):
    """``retail_lines`` is empty, or has no rows for a requested day."""


def days_in(uri: str, requested: Sequence[str] | None) -> list[str]:
    """Return the days of ``retail_lines`` that a run processes, in order.

    Args:
        uri: the warehouse.
        requested: the requested days; ``None`` for all.

    Raises:
        NoLinesError: naming the missing days.
    """
    with connect(uri) as session:
        query = "SELECT DISTINCT day FROM retail_lines ORDER BY day"
        loaded = [str(day) for (day,) in session.execute(query)] if exists(session, LINES.name) else []
    absent = sorted(set(requested or ()) - set(loaded))
    if absent or not loaded:
        raise NoLinesError(f"retail_lines has no rows for {', '.join(absent) or 'any day'}: run retail_validate first")
    return list(requested) if requested else loaded


def missing_sales(uri: str, days: Sequence[str]) -> str:
    """Return which days from the first to the last of ``days`` lack complete sales, in words; empty if none does."""
    first, *_, last = sorted(map(dt.date.fromisoformat, [*days, *days]))
    expected = {*SALES.calendar.expected(first, last), *map(dt.date.fromisoformat, days)}
    with connect(uri) as session:
        lacking = missing(session, SALES.name, sorted(expected))
    return str(lacking) if lacking else ""


def validate(file: File, uri: str, day: str, attempt: Attempt) -> LoadResult:
    """Load a day's file into ``retail_lines``.

    Raises:
        CsvError: the file isn't valid CSV with the expected columns.
        IncompleteLoadError: rows are invalid; they are quarantined with all rows of their invoice, the others loaded.
        LoadError: too many rows are invalid, or the rows violate the contract; nothing was written.
    """
    with from_storage(file) as lines:
        return load_csv(
            lines,
            uri=uri,
            attempt=attempt,
            partition=day,
            name=str(file),
            replayed_from=read_replayed_day(file),
            requested_at=modified_at(file),
            **CSV_OPTIONS,
        ).require_complete()


def transform(uri: str, day: str, attempt: Attempt) -> LoadResult:
    """Aggregate a day's distinct lines by country, and publish the totals as ``retail_sales``.

    Two lines are duplicates if they differ only in their position in the file.

    Raises:
        IncompleteLoadError: the day's lines are incomplete; the totals are published and marked incomplete.
        LoadError: the rows violate the contract, or a newer attempt has loaded; nothing was written.
    """
    date = dt.date.fromisoformat(day)
    with connect(uri, attempt) as session:
        time, lacking = read_at(session), missing(session, LINES.name, [date])
        totals = session.execute(
            """
            WITH distinct_lines AS (
                SELECT invoice_no, country, quantity * unit_price AS amount, count(*) AS occurrences
                FROM retail_lines
                WHERE day = %s
                GROUP BY invoice_no, stock_code, description, quantity, invoiced_at, unit_price, customer_id, country
            )

            SELECT
                country,
                count(DISTINCT invoice_no) FILTER (WHERE NOT starts_with(invoice_no, 'C')),
                count(DISTINCT invoice_no) FILTER (WHERE starts_with(invoice_no, 'C')),
                count(*),
                sum(occurrences - 1),
                sum(amount)
            FROM distinct_lines
            GROUP BY country
            """,
            [date],
        ).fetchall()
        rows = [dict(zip(SALES.column_names, (date, *row), strict=True)) for row in totals]
        sample = replayed_from(session, LINES.name, date, date)
        result = load(
            session,
            SALES,
            partition=date,
            rows=rows,
            attempt=attempt,
            replayed_from=sample,
            requested_at=time,
            lacking=lacking.lacking,
        ).require_complete()
    log.info("retail_sales of %s: %d countries", describe_day(day, sample), result.loaded)
    return result
