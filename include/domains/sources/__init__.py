"""The sources that become DAGs: a YAML file each."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent

STAYS = True
"""When the examples are removed, this package remains, for sources to come."""
OWNS = (
    "include/domains/sources/marketing.yaml",
    "include/domains/sources/sales.yaml",
    "include/domains/sources/support.yaml",
    "tests/integration/sources/test_pipeline.py",
)
NAMES = (
    *("process_marketing_data", "process_sales_data", "process_support_data"),
    *("marketing_data", "sales_data", "support_data"),
    *("marketing.yaml", "sales.yaml", "support.yaml"),
)
"""The examples' DAGs, tables and files."""
