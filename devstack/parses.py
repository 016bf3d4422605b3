"""Requests to parse DAG files, and the outcome of each parse, exchanged as files with the DAG processor.

The requester can tell whether a parse started after the request. The REST API can't replace this: it accepts requests
for known files only, and one for a file that is being parsed is lost.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote


@dataclass(frozen=True)
class Outcome:
    """The outcome of parsing one file.

    Attributes:
        started_at: seconds since the epoch.
        dag_ids: ids of the DAGs that the file defines.
        error: the import error; empty if there is none.
    """

    started_at: float
    dag_ids: list[str]
    error: str


class Parses:
    """The requests and outcomes in one folder; files are identified by their path below the DAG folder."""

    def __init__(self, folder: Path) -> None:
        self._requests, self._outcomes = folder / "requests", folder / "outcomes"

    def request(self, files: Iterable[str]) -> float:
        """Request a parse of the current version of ``files``; return the time from which a parse counts."""
        self._requests.mkdir(parents=True, exist_ok=True)
        requested_at = time.time()
        for file in files:
            (self._requests / _name(file)).touch()
        return requested_at

    def requested(self) -> list[str]:
        """Return the files with a pending request."""
        try:
            return [unquote(entry.name) for entry in os.scandir(self._requests)]
        except FileNotFoundError:
            return []

    def begin(self, file: str) -> None:
        """Remove the request for ``file``, which is about to be parsed."""
        (self._requests / _name(file)).unlink(missing_ok=True)

    def record(self, file: str, outcome: Outcome) -> None:
        """Store the outcome of the newest parse."""
        self._outcomes.mkdir(parents=True, exist_ok=True)
        path = self._outcomes / _name(file)
        temporary = path.with_name(f".{path.name}")
        temporary.write_text(json.dumps(asdict(outcome)))
        temporary.replace(path)

    def outcome(self, file: str, since: float) -> Outcome | None:
        """Return the outcome of the newest parse if it started at or after ``since``, else ``None``."""
        try:
            outcome = Outcome(**json.loads((self._outcomes / _name(file)).read_text()))
        except FileNotFoundError:
            return None
        return outcome if outcome.started_at >= since else None


def _name(file: str) -> str:
    return quote(file, safe="")
