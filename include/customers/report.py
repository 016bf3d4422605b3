"""The report's table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.customers.purchases import by_customer, replayed_from
from include.warehouse.connect import connect
from include.warehouse.dataset import Column, Dataset
from include.warehouse.loader import load
from include.warehouse.schema import create_table

if TYPE_CHECKING:
    import datetime as dt

    from include.warehouse.attempt import Attempt
    from include.warehouse.loader import LoadResult

REPORT = Dataset(
    name="customer_report",
    columns=(
        Column("day", "date", doc="Day of the sales, by the source's clocks"),
        Column("customer_id", "bigint", minimum=1, doc="Number of the customer (personal data)"),
        Column("country", "text", doc="Country of the customer"),
        Column("invoices", "bigint", minimum=0, doc="Invoices that aren't cancellations"),
        Column("cancelled", "bigint", minimum=0, doc="Cancellations"),
        Column("revenue", "numeric", doc="GBP, cancellations subtracted"),
        Column("as_of", "timestamp with time zone", doc="When the sales API was asked"),
    ),
    key=("day", "customer_id"),
    partition="day",
)


def publish(content: bytes, day: dt.date, as_of: dt.datetime, uri: str, attempt: Attempt) -> LoadResult:
    """Publish what each customer bought on a day.

    Args:
        content: lines of :func:`include.customers.purchases.purchases_of`.
        day: their day.
        as_of: when they were asked for.
        uri: the warehouse.
        attempt: who loads.

    Raises:
        LoadError: the rows break a rule, or a newer attempt has loaded; nothing was written.
    """
    rows = [{"day": day, **row, "as_of": as_of} for row in by_customer(content)]
    with connect(uri, attempt) as session:
        create_table(session, REPORT)
        return load(
            session, REPORT, partition=day, rows=rows, attempt=attempt, replayed_from=replayed_from(content)
        ).require_complete()
