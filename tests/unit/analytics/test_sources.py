"""The dbt sources and their tests are those that the datasets declare."""

from __future__ import annotations

import pytest

from include.datasets import DATASETS
from include.domains.analytics.sources import FILE, sources_text


def test_the_sources_are_up_to_date() -> None:
    assert FILE.read_text(encoding="utf-8") == sources_text(DATASETS), "a dataset has changed: run `make fix`"


def test_a_table_without_a_dataset_is_named() -> None:
    datasets = [dataset for dataset in DATASETS if dataset.name != "sales_data"]
    with pytest.raises(LookupError, match=r"SOURCES in include/domains/analytics names \['sales_data'\]; datasets: "):
        sources_text(datasets)
