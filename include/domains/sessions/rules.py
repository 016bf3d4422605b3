"""What both engines agree on. No import but of the standard library: Spark's driver has a Python of its own."""

from __future__ import annotations

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
"""Header of the order lines, as in UCI's Online Retail (doi 10.24432/C5BW33)."""

CANCELLED = "C"
"""First letter of the number of an invoice that cancels another."""

GAP_MINUTES = 30
"""A session ends where a customer's next line comes more than so many minutes later; the usual choice on the web."""

SESSIONS = "sessions"
"""Folder of the Parquet files with (customer_id, session, started_at, ended_at, invoices, cancelled, lines, quantity,
amount_pence); times as they stand in the input, UK wall time."""

SUMMARY = "summary"
"""Folder of one JSON object that counts rows: read = unreadable + repeated + anonymous + used."""

SUCCESS = "_SUCCESS"
"""File that ends a folder that was written completely, as Hadoop's committers leave it."""
