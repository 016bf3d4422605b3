"""A DAG for each file of `include/sources`: `process_sales_data`, `process_marketing_data`, `process_support_data`, ….

A source is added by `make new-source NAME=…`. A file that can't be used makes no DAG here; `check_sources.py` then
gives the import error, so that the other sources' DAGs stay as they are.
"""

from __future__ import annotations

from include.sources.factory import create_dags

globals().update(create_dags(warehouse_conn_id="postgres_default"))
