"""The tags that a DAG may carry.

Filters and dashboards rest on them, so the list is closed: a DAG with a word of its own is refused when it is parsed.
"""

from __future__ import annotations

from enum import StrEnum


class Tag(StrEnum):
    """What a DAG is about, or what kind of work it does; add a line here before you use a new one."""

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
