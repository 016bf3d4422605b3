"""Publishes the customer report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.warehouse.connect import connect
from include.core.warehouse.loader import load
from include.domains.customers.datasets import REPORT
from include.domains.customers.purchases import by_customer, replayed_from

if TYPE_CHECKING:
    import datetime as dt

    from include.core.warehouse.attempt import Attempt
    from include.core.warehouse.loader import LoadResult


def publish(content: bytes, day: dt.date, as_of: dt.datetime, uri: str, attempt: Attempt) -> LoadResult:
    """Aggregate a day's purchases by customer and publish them.

    Args:
        content: lines of :func:`include.domains.customers.purchases.purchases_of`.
        day: day of the purchases.
        as_of: when they were requested.
        uri: URI of the warehouse.
        attempt: the loading attempt.

    Raises:
        LoadError: the rows violate the contract, or a newer attempt has loaded; nothing was written.
    """
    rows = [{"day": day, **row, "as_of": as_of} for row in by_customer(content)]
    with connect(uri, attempt) as session:
        return load(
            session,
            REPORT,
            partition=day,
            rows=rows,
            attempt=attempt,
            replayed_from=replayed_from(content),
            requested_at=as_of,
        ).require_complete()
