"""The table of what each customer bought."""

from __future__ import annotations

from datetime import timedelta

from include.core.warehouse.dataset import DAILY, Column, Dataset

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
    freshness=DAILY + timedelta(days=1),  # no sales on Saturdays
)
