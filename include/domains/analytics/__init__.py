"""Builds marts with dbt; the project is in ``include/dbt``, and dbt has its own Python environment."""

SOURCES = ("weather_data", "sales_data", "marketing_data", "support_data")
"""The tables that the project reads; each is also an asset, updated by the DAG that loads it."""

OWNS = ("devstack/dbt_sources.py", "docs/decisions/8-one-start-of-dbt.md", "include/dbt/*")
"""Further files that belong to this domain."""
