"""Marts by dbt: the project lies in ``include/dbt``, dbt itself in an environment of its own."""
