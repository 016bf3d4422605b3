"""Every dataset that a DAG publishes, collected from core and the domains.

A domain declares its datasets as constants in ``include/domains/<domain>/datasets.py``.
"""

from __future__ import annotations

from include import domains
from include.core.collect import collect_constants, import_modules
from include.core.ml.drift import datasets as drift
from include.core.warehouse.calendar import EVERY_DAY, Calendar
from include.core.warehouse.dataset import Dataset

DATASETS = collect_constants(Dataset, (drift, *import_modules(domains, "datasets")))


def calendar_of(name: str) -> Calendar:
    """Return the calendar of the dataset called ``name``; that of every day, if it isn't declared here."""
    return next((dataset.calendar for dataset in DATASETS if dataset.name == name), EVERY_DAY)
