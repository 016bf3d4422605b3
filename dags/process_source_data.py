"""Creates a DAG for each file in `include/domains/sources`, such as `process_sales_data`.

`make new-source NAME=…` adds a source. An invalid file is skipped here and reported as an import error of
`check_sources.py`, so that the DAGs of the other sources aren't affected.
"""

from __future__ import annotations

from include.core.sources.factory import create_dags
from include.domains.sources import FOLDER
from include.settings import HTTP_CONNECTIONS

globals().update(create_dags(FOLDER, "postgres_default", HTTP_CONNECTIONS))
