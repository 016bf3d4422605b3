"""The month-end close: computes, publishes and reconciles a month's revenue by country."""

from __future__ import annotations

import datetime as dt
import logging
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from include.core.errors import MissingInputError, PermanentError
from include.core.warehouse.connect import connect
from include.core.warehouse.lineage import read_at, replayed_from
from include.core.warehouse.loader import load
from include.core.warehouse.partitions import missing
from include.core.warehouse.schema import exists
from include.domains.finance.datasets import REVENUE

if TYPE_CHECKING:
    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.calendar import Calendar
    from include.core.warehouse.connect import Session
    from include.core.warehouse.loader import LoadResult
    from include.core.warehouse.partitions import Missing

log = logging.getLogger(__name__)

SALES = "sales_data"


class NothingToCloseError(MissingInputError):
    """The month has no sales: its days aren't loaded, or the table doesn't exist."""


class MissingDaysError(MissingInputError):
    """Days of the month aren't loaded, or are incomplete; nothing was written."""


class RevenueMismatchError(PermanentError):
    """The published revenue differs from the sum of the month's lines."""


def month_of(start: dt.datetime | None, run_after: dt.datetime) -> dt.date:
    """Return the first day of the data interval's month, or of the month before ``run_after`` (UTC)."""
    if start is not None:
        return start.astimezone(dt.UTC).date().replace(day=1)
    return (run_after.astimezone(dt.UTC).date().replace(day=1) - dt.timedelta(days=1)).replace(day=1)


def missing_days(session: Session, month: dt.date, calendar: Calendar, *, partial: bool) -> Missing:
    """Return the days of the month whose sales aren't completely loaded.

    Args:
        session: session on the warehouse.
        month: first day of the month.
        calendar: the days for which there are sales.
        partial: whether to return them rather than raise.

    Raises:
        MissingDaysError: naming them, unless ``partial``.
        NothingToCloseError: if the month has no sales.
    """
    days = "SELECT 1 FROM sales_data WHERE day >= %s AND day < %s LIMIT 1"
    if not exists(session, SALES) or not session.execute(days, [month, _next(month)]).fetchone():
        raise NothingToCloseError(f"{SALES} has no rows for {month:%Y-%m}: run process_sales_data for its days first")
    lacking = missing(session, SALES, calendar.expected(month, _next(month) - dt.timedelta(days=1)))
    if lacking and not partial:
        raise MissingDaysError(
            f"{month:%Y-%m} isn't closed, because days are missing in {lacking}. Run process_sales_data for them. To"
            " publish the revenue of the other days, marked as incomplete, run this DAG with the param partial."
        )
    return lacking


def check(uri: str, month: dt.date, calendar: Calendar, *, partial: bool) -> Missing:
    """Return what :func:`missing_days` returns; raises as it does."""
    with connect(uri) as session:
        return missing_days(session, month, calendar, partial=partial)


def close(uri: str, month: dt.date, calendar: Calendar, attempt: Attempt, *, partial: bool = False) -> LoadResult:
    """Publish the month's revenue by country; with ``partial`` also if days are missing, marked as incomplete.

    Raises:
        LoadError: the rows violate the contract, or a newer attempt has loaded; nothing was written.
        MissingDaysError: days are missing; nothing was written.
        SupersededError: the sales have been read and published again since.
    """
    with connect(uri, attempt) as session:
        time = read_at(session)
        lacking = missing_days(session, month, calendar, partial=partial)
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
        result = load(
            session,
            REVENUE,
            partition=month,
            rows=rows,
            attempt=attempt,
            replayed_from=sample,
            requested_at=time,
            lacking=lacking.lacking,
        )
    if lacking:
        log.warning("%s: partial, marked as incomplete. Missing in %s", month, lacking)
    return result


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
