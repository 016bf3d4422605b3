"""The table of daily revenue that the job service computes."""

from __future__ import annotations

from include.core.warehouse.dataset import Column, Dataset

REVENUE = Dataset(
    name="etl_daily_revenue",
    columns=(
        Column("day", "date", doc="Day of the sales"),
        Column("sales_rows", "bigint", minimum=1, doc="Rows that the sum was made of"),
        Column("revenue_gbp", "numeric", doc="Quantity times unit price, cancellations included as recorded"),
    ),
    key=("day",),
    partition="day",
)
