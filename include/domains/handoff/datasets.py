"""The table of totals by article."""

from __future__ import annotations

from include.core.warehouse.dataset import Column, Dataset

STOCK_TOTALS = Dataset(
    name="stock_totals",
    columns=(
        Column("stock_code", "text", doc="Article"),
        Column("lines", "bigint", minimum=1, doc="Order lines, cancellations included"),
        Column("quantity", "bigint", doc="Pieces sold, less those taken back"),
        Column("amount_pence", "bigint", doc="Quantity times unit price, pence of GBP"),
    ),
    key=("stock_code",),
)
