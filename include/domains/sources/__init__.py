"""The sources that become DAGs: a YAML file each."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).parent
