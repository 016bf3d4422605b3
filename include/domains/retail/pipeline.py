"""The steps of the retail DAGs, callable without Airflow."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

from include.core.csv_files.fetch import from_storage
from include.core.csv_files.load import load_csv
from include.core.errors import MissingInputError
from include.core.replay import described, marked
from include.core.warehouse.connect import connect
from include.core.warehouse.lineage import replayed_from
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table
from include.domains.retail.datasets import LINES, READING, SALES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from include.core.storage import File
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult

log = logging.getLogger(__name__)


class NoLinesError(MissingInputError):
    """There is nothing to work on: no file was loaded, or not that of the day."""


def days_in(uri: str, asked: Sequence[str] | None) -> list[str]:
    """Return the days of ``retail_lines`` that a run works on, in order.

    Args:
        uri: the warehouse.
        asked: the days wanted; ``None`` for all.

    Raises:
        NoLinesError: naming the days that aren't there.
    """
    with connect(uri) as session:
        create_table(session, LINES)
        found = [str(day) for (day,) in session.execute("SELECT DISTINCT day FROM retail_lines ORDER BY day")]
    missing = sorted(set(asked or ()) - set(found))
    if missing or not found:
        raise NoLinesError(f"retail_lines has no row of {', '.join(missing) or 'any day'}: run retail_validate first")
    return list(asked) if asked else found


def validate(file: File, uri: str, day: str, attempt: Attempt) -> LoadResult:
    """Load the file of a day into ``retail_lines``.

    Raises:
        CsvError: the file isn't a table with the columns.
        LoadError: more rows are bad than allowed, or break a rule; nothing was written.
    """
    with from_storage(file) as lines:
        return load_csv(lines, uri=uri, attempt=attempt, partition=day, replayed_from=marked(file), **READING)


def transform(uri: str, day: str, attempt: Attempt) -> LoadResult:
    """Add a day's lines up by country, repeated ones counted once, and publish them as ``retail_sales``.

    Two lines repeat each other if nothing but their place in the file differs.

    Raises:
        LoadError: the rows break a rule, or a newer attempt has loaded; nothing was written.
    """
    date = dt.date.fromisoformat(day)
    with connect(uri, attempt) as session:
        create_table(session, SALES)
        found = session.execute(
            """
            WITH once AS (
                SELECT invoice_no, country, quantity * unit_price AS amount, count(*) AS times
                FROM retail_lines
                WHERE day = %s
                GROUP BY invoice_no, stock_code, description, quantity, invoiced_at, unit_price, customer_id, country
            )

            SELECT
                country,
                count(DISTINCT invoice_no) FILTER (WHERE NOT starts_with(invoice_no, 'C')),
                count(DISTINCT invoice_no) FILTER (WHERE starts_with(invoice_no, 'C')),
                count(*),
                sum(times - 1),
                sum(amount)
            FROM once
            GROUP BY country
            """,
            [date],
        ).fetchall()
        rows = [dict(zip(SALES.column_names, (date, *row), strict=True)) for row in found]
        sample = replayed_from(session, LINES.name, date, date)
        result = load(session, SALES, partition=date, rows=rows, attempt=attempt, replayed_from=sample)
        result.require_complete()
    log.info("retail_sales of %s: %d countries", described(day, sample), result.loaded)
    return result
