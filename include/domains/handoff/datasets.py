"""The table of totals by stock code."""

from __future__ import annotations

from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.history_settings import History

STOCK_TOTALS = Dataset(
    name="stock_totals",
    columns=(
        Column("stock_code", "text", doc="Stock code"),
        Column("lines", "bigint", minimum=1, doc="Order lines, cancellations included"),
        Column("quantity", "bigint", doc="Pieces sold, returns subtracted"),
        Column("amount_pence", "bigint", doc="Quantity times unit price, in pence (GBP)"),
    ),
    key=("stock_code",),
    history=History(off="each run by hand chooses how many lines it sums"),
)
