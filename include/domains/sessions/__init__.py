"""Customers' shopping sessions out of order lines: once for Spark, once for pandas, with one result."""
