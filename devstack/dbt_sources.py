"""``python -m devstack.dbt_sources``: write the dbt sources with their data tests from the datasets."""

from __future__ import annotations

from devstack.state import REPOSITORY
from include.datasets import DATASETS
from include.domains.analytics.sources import FILE, sources_text

if __name__ == "__main__":
    FILE.write_text(sources_text(DATASETS), encoding="utf-8")
    print(FILE.relative_to(REPOSITORY))
