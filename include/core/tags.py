"""The tags that a DAG may carry.

Filters and dashboards depend on them, so the list is closed: in strict mode a DAG with any other tag is refused.
"""

from __future__ import annotations

from enum import StrEnum


class Tag(StrEnum):
    """The subject of a DAG or its kind of work; add a new tag here before you use it."""

    ANALYTICS = "analytics"
    EXAMPLE = "example"
    FINANCE = "finance"
    INGEST = "ingest"
    MAINTENANCE = "maintenance"
    RETAIL = "retail"
    SOURCE = "source"
    WEATHER = "weather"
    ML = "ml"
    SPARK = "spark"
    KUBERNETES = "kubernetes"
    MONITORING = "monitoring"
