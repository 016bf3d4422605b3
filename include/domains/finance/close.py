"""The month-end close: computes, publishes and reconciles a month's revenue by country."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from include.core.errors import MissingInputError, PermanentError
from include.core.warehouse.connect import connect
from include.core.warehouse.lineage import replayed_from
from include.core.warehouse.loader import load
from include.core.warehouse.schema import create_table, exists
from include.domains.finance.datasets import REVENUE

if TYPE_CHECKING:
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult

SALES = "sales_data"


class NothingToCloseError(MissingInputError):
    """The month has no sales: its days aren't loaded, or the table doesn't exist."""


class RevenueMismatchError(PermanentError):
    """The published revenue differs from the sum of the month's lines."""


def month_of(start: dt.datetime | None, run_after: dt.datetime) -> dt.date:
    """Return the first day of the data interval's month, or of the month before ``run_after`` (UTC)."""
    if start is not None:
        return start.astimezone(dt.UTC).date().replace(day=1)
    return (run_after.astimezone(dt.UTC).date().replace(day=1) - dt.timedelta(days=1)).replace(day=1)


def days_loaded(uri: str, month: dt.date) -> int:
    """Return the number of days of the month that have sales.

    Raises:
        NothingToCloseError: if there are none.
    """
    with connect(uri) as session:
        [days] = (
            session.execute(
                "SELECT count(DISTINCT day) FROM sales_data WHERE day >= %s AND day < %s", [month, _next(month)]
            ).fetchone()
            if exists(session, SALES)
            else None
        ) or [0]
    if not days:
        raise NothingToCloseError(f"{SALES} has no rows for {month:%Y-%m}: run process_sales_data for its days first")
    return int(str(days))


def close(uri: str, month: dt.date, attempt: Attempt) -> LoadResult:
    """Publish the month's revenue by country.

    Raises:
        LoadError: the rows violate the contract, or a newer attempt has loaded; nothing was written.
    """
    with connect(uri, attempt) as session:
        create_table(session, REVENUE)
        totals = session.execute(
            """
            SELECT
                country,
                count(DISTINCT invoice_no) FILTER (WHERE NOT starts_with(invoice_no, 'C')),
                count(DISTINCT invoice_no) FILTER (WHERE starts_with(invoice_no, 'C')),
                sum(quantity * unit_price)
            FROM sales_data
            WHERE day >= %s AND day < %s
            GROUP BY country
            """,
            [month, _next(month)],
        ).fetchall()
        names = REVENUE.column_names
        rows = [dict(zip(names, (month, *row), strict=True)) for row in totals]
        sample = replayed_from(session, SALES, month, _next(month) - dt.timedelta(days=1))
        return load(
            session, REVENUE, partition=month, rows=rows, attempt=attempt, replayed_from=sample
        ).require_complete()


def reconcile(uri: str, month: dt.date) -> None:
    """Sum the month's lines one by one, and compare the result with the published revenue.

    Raises:
        RevenueMismatchError: naming the countries that differ, with both amounts.
    """
    computed: defaultdict[str, Decimal] = defaultdict(Decimal)
    with connect(uri) as session, session.transaction(), session.cursor("lines") as lines:
        lines.execute(
            "SELECT country, quantity, unit_price FROM sales_data WHERE day >= %s AND day < %s", [month, _next(month)]
        )
        for country, quantity, price in lines:
            computed[str(country)] += Decimal(str(quantity)) * Decimal(str(price))
        rows = session.execute("SELECT country, revenue FROM finance_revenue WHERE month = %s", [month]).fetchall()
    published = {str(country): Decimal(str(revenue)) for country, revenue in rows}
    differing = [
        f"{country}: published {published.get(country)}, lines {computed.get(country)}"
        for country in sorted(published | computed)
        if published.get(country) != computed.get(country)
    ]
    if differing:
        raise RevenueMismatchError(f"finance_revenue of {month:%Y-%m}: {'; '.join(differing)}. Clear the run.")


def _next(month: dt.date) -> dt.date:
    return (month + dt.timedelta(days=31)).replace(day=1)
