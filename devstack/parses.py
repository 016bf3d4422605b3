"""Requests to parse DAG files, and the outcome of each parse: files between a command and the DAG processor.

Whoever asks can tell a parse that began after the request from an earlier one. The REST API offers neither: it takes
requests for known files only, and one for a file that is just being parsed is lost.
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
    """What came of parsing one file.

    Attributes:
        began: seconds since the epoch.
        dag_ids: DAGs that the file defines.
        error: the import error; empty if there is none.
    """

    began: float
    dag_ids: list[str]
    error: str


class Parses:
    """The requests and outcomes below one folder; files are named by their path below the DAG folder."""

    def __init__(self, folder: Path) -> None:
        self._requests, self._outcomes = folder / "requests", folder / "outcomes"

    def request(self, files: Iterable[str]) -> float:
        """Ask for ``files`` to be parsed as they are now; return the time from which on a parse counts."""
        self._requests.mkdir(parents=True, exist_ok=True)
        asked = time.time()
        for file in files:
            (self._requests / _name(file)).touch()
        return asked

    def requested(self) -> list[str]:
        """Return the files that are to be parsed."""
        try:
            return [unquote(entry.name) for entry in os.scandir(self._requests)]
        except FileNotFoundError:
            return []

    def begin(self, file: str) -> None:
        """Take the request for ``file`` back: it is about to be parsed."""
        (self._requests / _name(file)).unlink(missing_ok=True)

    def note(self, file: str, outcome: Outcome) -> None:
        """Keep the outcome of the newest parse."""
        self._outcomes.mkdir(parents=True, exist_ok=True)
        path = self._outcomes / _name(file)
        temporary = path.with_name(f".{path.name}")
        temporary.write_text(json.dumps(asdict(outcome)))
        temporary.replace(path)

    def outcome(self, file: str, since: float) -> Outcome | None:
        """Return the outcome of the newest parse that began at or after ``since``; ``None`` if there is none yet."""
        try:
            found = Outcome(**json.loads((self._outcomes / _name(file)).read_text()))
        except FileNotFoundError:
            return None
        return found if found.began >= since else None


def _name(file: str) -> str:
    return quote(file, safe="")
