"""Remembers what the start-up wrote last, so that later changes by users are recognised and kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

STATE = Path("/opt/airflow/state/written.json")


class Written:
    """Digests of the written values by name, stored in a file."""

    def __init__(self, path: Path = STATE) -> None:
        self._path = path
        self._digests: dict[str, str] = json.loads(path.read_text()) if path.exists() else {}

    def matches(self, name: str, value: str) -> bool:
        """Tell whether ``value`` was written last under ``name``."""
        return self._digests.get(name) == _digest(value)

    def differs(self, name: str, value: str) -> bool:
        """Tell whether something else than ``value`` was written last under ``name``."""
        return name in self._digests and not self.matches(name, value)

    def record(self, name: str, value: str) -> None:
        """Store that ``value`` was written under ``name``."""
        self._digests[name] = _digest(value)
        draft = self._path.with_suffix(".new")
        draft.write_text(json.dumps(self._digests, indent=1))
        draft.replace(self._path)


def _digest(value: str) -> str:
    return hashlib.sha256(value.encode()).hexdigest()
