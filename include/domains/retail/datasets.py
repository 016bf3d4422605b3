"""The tables of the retail example, and the options for loading a day's file.

Without heavy imports, so that a DAG file can import it at the top level.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from include.core.warehouse.calendar import Calendar
from include.core.warehouse.dataset import Column, Dataset
from include.core.warehouse.history_settings import History, Recurring

SALES_DAYS = Calendar(no_data_on=("sat", "12-25", "12-26", "01-01"))
FRESHNESS = timedelta(days=2, hours=13)  # no sales on Saturdays; up to six hours of waiting for each of tills and file

LINES = Dataset(
    name="retail_lines",
    columns=(
        Column("day", "date", doc="Day of the file"),
        Column(
            "line", "bigint", minimum=2, doc="Line of the file; the rows have no other key, because some are repeated"
        ),
        Column("invoice_no", "text", doc="C… is a cancellation, A… an adjustment"),
        Column("stock_code", "text"),
        Column("description", "text", nullable=True),
        Column("quantity", "integer", minimum=-100_000, maximum=100_000, doc="Negative in a cancellation"),
        Column("invoiced_at", "timestamp with time zone", doc="UK local time in the file"),
        Column(
            "unit_price",
            "numeric",
            minimum=-100_000,
            maximum=100_000,
            doc="GBP; 0 for write-offs and gifts, negative only in an adjustment of bad debt",
        ),
        Column(
            "customer_id",
            "bigint",
            nullable=True,
            minimum=1,
            doc="Personal data; empty without an account",
            pii=True,
        ),
        Column("country", "text"),
    ),
    key=("day", "line"),
    partition="day",
    day_column="invoiced_at",
    timezone="Europe/London",
    rules=("unit_price >= 0 unless invoice_no starts with A",),
    together=("invoice_no",),
    calendar=SALES_DAYS,
    freshness=FRESHNESS,
    history=History(recurring=(Recurring("unit_price", by=("stock_code",)),), ignored=("line",)),
)
SALES = Dataset(
    name="retail_sales",
    columns=(
        Column("day", "date"),
        Column("country", "text", doc="Country of the customer"),
        Column("invoices", "bigint", minimum=0, doc="Invoices that aren't cancellations"),
        Column("cancelled", "bigint", minimum=0, doc="Cancellations"),
        Column("lines", "bigint", minimum=1, doc="Distinct lines"),
        Column("repeated", "bigint", minimum=0, doc="Duplicates of another line"),
        Column("revenue", "numeric", doc="GBP, cancellations subtracted"),
    ),
    key=("day", "country"),
    partition="day",
    calendar=SALES_DAYS,
    freshness=FRESHNESS,
)
CSV_OPTIONS: dict[str, Any] = {
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
