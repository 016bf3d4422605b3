"""The sources, one YAML file each; a DAG is created for each of them."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

STAYS = True
"""This package remains when the examples are removed, for new sources."""
OWNS = (
    "include/domains/sources/marketing.yaml",
    "include/domains/sources/sales.yaml",
    "include/domains/sources/support.yaml",
    "tests/integration/sources/test_paging.py",
    "tests/integration/sources/test_pipeline.py",
)
NAMES = (
    *("process_marketing_data", "process_sales_data", "process_support_data"),
    *("marketing_data", "sales_data", "support_data"),
    *("marketing.yaml", "sales.yaml", "support.yaml"),
)
"""Names of the examples' DAGs, tables and files."""
