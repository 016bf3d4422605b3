"""The files of the retail example."""

from __future__ import annotations

from include.core.formats.contract import FileContract
from include.domains.retail.datasets import CSV_OPTIONS

LINES_FILE = FileContract(**CSV_OPTIONS)
