"""Marts by dbt: the project lies in ``include/dbt``, dbt itself in an environment of its own."""

SOURCES = ("weather_data", "sales_data", "marketing_data", "support_data")
"""Tables that the project reads; each is an asset of the DAG that loads it."""

OWNS = ("docs/decisions/8-one-start-of-dbt.md", "include/dbt/*")
"""What goes with this domain, besides its package and what imports it."""
