"""What is kept of a day's sales: the lines that a customer is known for."""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from include.core.sources.rows import split_rows

if TYPE_CHECKING:
    from include.core.replay import Rows
    from include.core.sources.model import Source

log = logging.getLogger(__name__)

KEPT = ("customer_id", "country", "invoice_no", "quantity", "unit_price")


def purchases_of(source: Source, day: dt.date, found: Rows) -> bytes:
    """Check the rows against the contract; return those of known customers, one JSON object a line.

    Each line names the recorded day that it replays, if it is sample data.

    Args:
        source: the contract of the sales.
        day: their day.
        found: as the API gave them.
    """
    good, rejected = split_rows(source, day, (json.dumps(row) for row in found.rows), f"{source.name} {day}")
    known = [row for row in good if row["customer_id"] is not None]
    log.info(
        "%s: %d lines of known customers, %d of unknown ones, %d that break the contract",
        day, len(known), len(good) - len(known), len(rejected),
    )  # fmt: skip
    origin = {"replayed_from": found.replayed_from} if found.replayed_from else {}
    lines = ({name: row[name] for name in KEPT} | origin for row in known)
    return b"".join(json.dumps(line, default=str).encode() + b"\n" for line in lines)


def replayed_from(content: bytes) -> dt.date | None:
    """Return the recorded day that the lines of :func:`purchases_of` replay."""
    first = json.loads(content.partition(b"\n")[0] or b"{}").get("replayed_from")
    return dt.date.fromisoformat(first) if first else None


def by_customer(content: bytes) -> list[dict[str, Any]]:
    """Add up the lines of :func:`purchases_of`: a row a customer, with invoices, cancellations and revenue (GBP)."""
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
