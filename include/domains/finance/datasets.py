"""The table of monthly revenue."""

from __future__ import annotations

from datetime import timedelta

from include.core.warehouse.calendar import Calendar
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.history_settings import History

REVENUE = Dataset(
    name="finance_revenue",
    columns=(
        Column("month", "date", doc="First day of the month"),
        Column("country", "text", doc="Country of the customer"),
        Column("invoices", "bigint", minimum=0, doc="Invoices that aren't cancellations"),
        Column("cancelled", "bigint", minimum=0, doc="Cancellations"),
        Column("revenue", "numeric", doc="GBP, cancellations subtracted"),
    ),
    key=("month", "country"),
    partition="month",
    calendar=Calendar("month"),
    freshness=timedelta(days=37),  # two days more than the longest time between two second business days of a month
    history=History(days=800),
)
