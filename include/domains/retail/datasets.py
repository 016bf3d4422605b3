"""The tables of the retail case, and how a day's file is read into the first of them.

Free of heavy imports, so that a DAG file may import it at the top.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.core.warehouse.dataset import Column, Dataset

FRESHNESS = timedelta(days=2, hours=13)  # no sales on Saturdays; tills and file are each waited for six hours

LINES = Dataset(
    name="retail_lines",
    columns=(
        Column("day", "date", doc="Day of the file"),
        Column("line", "bigint", minimum=2, doc="Line of the file; the rows have no other key, since some repeat"),
        Column("invoice_no", "text", doc="C… is a cancellation, A… an adjustment"),
        Column("stock_code", "text"),
        Column("description", "text", nullable=True),
        Column("quantity", "integer", minimum=-100_000, maximum=100_000, doc="Negative in a cancellation"),
        Column("invoiced_at", "timestamp with time zone", doc="UK local time, taken as UTC, which it is in winter"),
        Column("unit_price", "numeric", minimum=0, maximum=100_000, doc="GBP; 0 for write-offs and gifts"),
        Column("customer_id", "bigint", nullable=True, minimum=1, doc="Personal data; empty without an account"),
        Column("country", "text"),
    ),
    key=("day", "line"),
    partition="day",
    freshness=FRESHNESS,
)
SALES = Dataset(
    name="retail_sales",
    columns=(
        Column("day", "date"),
        Column("country", "text", doc="Country of the customer"),
        Column("invoices", "bigint", minimum=0, doc="Invoices that aren't cancellations"),
        Column("cancelled", "bigint", minimum=0, doc="Cancellations"),
        Column("lines", "bigint", minimum=1, doc="Lines, a repeated one counted once"),
        Column("repeated", "bigint", minimum=0, doc="Lines that repeat another of the same invoice and minute"),
        Column("revenue", "numeric", doc="GBP, cancellations subtracted"),
    ),
    key=("day", "country"),
    partition="day",
    freshness=FRESHNESS,
)
READING: dict[str, Any] = {
    "dataset": LINES,
    "rename": {
        "invoice_no": "InvoiceNo",
        "stock_code": "StockCode",
        "description": "Description",
        "quantity": "Quantity",
        "invoiced_at": "InvoiceDate",
        "unit_price": "UnitPrice",
        "customer_id": "CustomerID",
        "country": "Country",
    },
    "line_column": "line",
    "max_bad_share": 0.01,
}
"""Arguments of :func:`include.core.csv_files.load.load_csv` for a day's file."""
