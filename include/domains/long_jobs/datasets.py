"""The table of daily revenue that the job service computes."""

from __future__ import annotations

from datetime import timedelta

from include.core.warehouse.calendar import Calendar
from include.core.warehouse.dataset import DAILY, Column, Dataset

REVENUE = Dataset(
    name="etl_daily_revenue",
    columns=(
        Column("day", "date", doc="Day of the sales"),
        Column("sales_rows", "bigint", minimum=1, doc="Number of rows in the sum"),
        Column("revenue_gbp", "numeric", doc="Quantity times unit price, cancellations included as recorded"),
    ),
    key=("day",),
    partition="day",
    calendar=Calendar(no_data_on=("sat", "12-25", "12-26", "01-01")),
    freshness=DAILY + timedelta(days=1),  # no sales on Saturdays
)
