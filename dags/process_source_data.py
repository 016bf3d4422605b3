"""A DAG for each file of `include/domains/sources`, such as `process_sales_data`.

A source is added by `make new-source NAME=…`. A file that can't be used makes no DAG here; `check_sources.py` then
gives the import error, so that the other sources' DAGs stay as they are.
"""

from __future__ import annotations

from include.core.sources.factory import create_dags
from include.domains.sources import FOLDER
from include.settings import HTTP_CONNECTIONS

globals().update(create_dags(FOLDER, "postgres_default", HTTP_CONNECTIONS))
