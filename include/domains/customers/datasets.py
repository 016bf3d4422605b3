"""The table of the customer report."""

from __future__ import annotations

from datetime import timedelta

from include.core.warehouse.calendar import Calendar
from include.core.warehouse.dataset import DAILY, Column, Dataset

REPORT = Dataset(
    name="customer_report",
    columns=(
        Column("day", "date", doc="Day of the sales, in the source's time zone"),
        Column("customer_id", "bigint", minimum=1, doc="Customer number (personal data)", pii=True),
        Column("country", "text", doc="Country of the customer"),
        Column("invoices", "bigint", minimum=0, doc="Invoices that aren't cancellations"),
        Column("cancelled", "bigint", minimum=0, doc="Cancellations"),
        Column("revenue", "numeric", doc="GBP, cancellations subtracted"),
        Column("as_of", "timestamp with time zone", doc="When the data was requested from the sales API"),
    ),
    key=("day", "customer_id"),
    partition="day",
    calendar=Calendar(no_data_on=("sat", "12-25", "12-26", "01-01")),
    freshness=DAILY + timedelta(days=1),  # no sales on Saturdays
)
