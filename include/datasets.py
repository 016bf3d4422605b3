"""Every table that a DAG publishes, collected from core and the domains.

A domain declares its own in ``include/domains/<domain>/datasets.py``: a constant is enough.
"""

from __future__ import annotations

from include import domains
from include.core.ml.drift import datasets as drift
from include.core.registry import declared, modules_of
from include.core.warehouse.dataset import Dataset

DATASETS = declared(Dataset, (drift, *modules_of(domains, "datasets")))
