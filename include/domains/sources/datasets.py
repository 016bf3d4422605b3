"""The tables of the valid sources."""

from __future__ import annotations

from include.core.sources.dataset import dataset_of
from include.core.sources.files import load_sources
from include.domains.sources import FOLDER

DATASETS = tuple(map(dataset_of, load_sources(FOLDER).sources.values()))
