"""Filters a day's sales to lines with a known customer, and aggregates them by customer."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.core import exact_json
from include.core.sources.errors import PublishGateError
from include.core.sources.rows import split_rows

if TYPE_CHECKING:
    from include.core.replay import Rows
    from include.core.sources.model import Source

log = logging.getLogger(__name__)

FIELDS = ("customer_id", "country", "invoice_no", "quantity", "unit_price")


def purchases_of(source: Source, day: dt.date, sales: Rows) -> bytes:
    """Validate the rows; return those with a known customer as JSON lines.

    For sample data, each line contains the recorded day that it replays.

    Args:
        source: contract of the sales.
        day: day of the sales.
        sales: rows as returned by the API.

    Raises:
        PublishGateError: if a row is invalid; copies of a row are ignored.
    """
    valid, rejected = split_rows(source, day, map(exact_json.dumps, sales.rows), f"{source.name} {day}")
    if invalid := [item for item in rejected if not item.is_copy]:
        raise PublishGateError(
            f"source {source.name}, {day}: {len(invalid)} row(s) are invalid, so sums over the others would be wrong."
            f" First: line {invalid[0].row['line']}: {invalid[0].reason}"
        )
    known = [row for row in valid if row["customer_id"] is not None]
    log.info(
        "%s: %d lines with a known customer, %d without, %d copies",
        day, len(known), len(valid) - len(known), len(rejected),
    )  # fmt: skip
    origin = {"replayed_from": sales.replayed_from} if sales.replayed_from else {}
    lines = ({name: row[name] for name in FIELDS} | origin for row in known)
    return b"".join(json.dumps(line, default=str).encode() + b"\n" for line in lines)


def replayed_from(content: bytes) -> dt.date | None:
    """Return the recorded day that the lines of :func:`purchases_of` replay."""
    day = json.loads(content.partition(b"\n")[0] or b"{}").get("replayed_from")
    return dt.date.fromisoformat(day) if day else None


def by_customer(content: bytes) -> list[dict[str, Any]]:
    """Return a row for each customer: invoices, cancellations and revenue (GBP) of :func:`purchases_of`'s lines."""
    invoices: defaultdict[int, set[str]] = defaultdict(set)
    revenue: defaultdict[int, Decimal] = defaultdict(Decimal)
    countries: dict[int, str] = {}
    for line in content.splitlines():
        row = json.loads(line)
        customer = row["customer_id"]
        invoices[customer].add(row["invoice_no"])
        revenue[customer] += row["quantity"] * Decimal(row["unit_price"])
        countries[customer] = row["country"]
    return [
        {
            "customer_id": customer,
            "country": countries[customer],
            "invoices": sum(not number.startswith("C") for number in invoices[customer]),
            "cancelled": sum(number.startswith("C") for number in invoices[customer]),
            "revenue": revenue[customer],
        }
        for customer in sorted(invoices)
    ]
