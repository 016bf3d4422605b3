"""Constants shared by both engines. Imports the standard library only: Spark's driver has its own Python."""

from __future__ import annotations

COLUMNS = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")
"""Header of the order lines, as in UCI's Online Retail (doi 10.24432/C5BW33)."""

CANCELLED = "C"
"""Prefix of the invoice numbers of cancellations."""

GAP_MINUTES = 30
"""A session ends if the customer's next line is more than this many minutes later; the usual value in web analytics."""

SESSIONS = "sessions"
"""Folder of Parquet files with (customer_id, session, started_at, ended_at, invoices, cancelled, lines, quantity,
amount_pence); times are UK local time, as in the input."""

SUMMARY = "summary"
"""Folder of a JSON object with row counts: read = unreadable + repeated + anonymous + used."""

SUCCESS = "_SUCCESS"
"""Marker file of a completely written folder, as created by Hadoop's committers."""
