"""Publishes results: each attempt writes to its own folder, and ``current.json`` names the published one.

Neither a bucket nor a shared folder can replace a folder atomically, but both can replace a file. Readers follow
``current.json``, so they never see the output of an attempt that was killed or ran twice.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import pyarrow.parquet as pq
from pydantic import BaseModel

from include.core import storage
from include.core.errors import PermanentError
from include.domains.sessions.rules import SESSIONS, SUCCESS, SUMMARY

if TYPE_CHECKING:
    import pyarrow as pa

    from include.core.storage import File

log = logging.getLogger(__name__)

POINTER = "current.json"


class UnaccountedRowsError(PermanentError):
    """Rows were lost or duplicated between input and output; nothing was published."""


class NoAttemptError(PermanentError, FileNotFoundError):
    """No attempt of the run is complete, or clean_up has removed it."""


class Published(BaseModel):
    """The published result.

    Attributes:
        run: folder of the run, below the folder of the results.
        attempt: folder of the attempt, below that of the run.
        counts: number of input rows by status: read, unreadable, repeated, anonymous and used.
        sessions: number of rows in the result.
    """

    run: str
    attempt: str
    counts: dict[str, int]
    sessions: int


def folder_of(root: File, engine: str, run_id: str) -> File:
    """Return ``{root}/sessions/{engine}/{run}``, which contains a folder ``try-{n}`` for each attempt."""
    return root / "sessions" / engine / storage.file_name(run_id)


def plain_url(path: File) -> str:
    """Return a URL for programs other than Airflow: without the connection id before the bucket."""
    url = str(path)
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if scheme in {"s3", "s3a"} else f"{scheme}{separator}{rest}"


def hadoop_url(path: File) -> str:
    """Return a URL for Spark, whose scheme for S3 is ``s3a``."""
    return plain_url(path).replace("s3://", "s3a://", 1)


def publish(folder: File) -> Published:
    """Publish the newest complete attempt of a run; keep the previous result and remove older ones.

    Raises:
        NoAttemptError: if no attempt of the run is complete.
        UnaccountedRowsError: if input and output rows don't match.
    """
    attempts = [path for path in folder.glob("try-*") if all((path / name / SUCCESS).exists() for name in _FOLDERS)]
    if not attempts:
        raise NoAttemptError(f"no attempt in {folder} is complete: clear the task that writes it")
    newest = max(attempts, key=lambda path: int(path.name.removeprefix("try-")))
    result = _checked(newest)
    home = folder.parent
    previous = current(home)
    storage.write(home / POINTER, result.model_dump_json().encode())
    log.info("%s: %d sessions from %s", newest, result.sessions, result.counts)
    _remove_old(home, {result.run, previous.run if previous else result.run}, newest)
    return result


def discard(folder: File) -> None:
    """Remove the files of a run, unless its result is published."""
    published = current(folder.parent)
    if published is None or published.run != folder.name:
        storage.remove(folder)


def current(home: File) -> Published | None:
    """Return the published result below ``{root}/sessions/{engine}``, if any."""
    pointer = home / POINTER
    return Published.model_validate_json(pointer.read_bytes()) if pointer.exists() else None


def load(home: File) -> pa.Table:
    """Read the sessions of the published result.

    Raises:
        FileNotFoundError: if nothing has been published yet.
    """
    published = current(home)
    if published is None:
        raise FileNotFoundError(f"{home / POINTER}: nothing has been published yet")
    return _table(home / published.run / published.attempt)


_FOLDERS = (SESSIONS, SUMMARY)


def _checked(attempt: File) -> Published:
    lines = [line for file in (attempt / SUMMARY).glob("*.json") for line in file.read_text().splitlines()]
    counts: dict[str, int] = json.loads(lines[0])
    table = _table(attempt)
    accounted = counts["unreadable"] + counts["repeated"] + counts["anonymous"] + counts["used"]
    in_sessions = sum(int(lines) for lines in table["lines"].to_pylist() if lines)
    if accounted != counts["read"] or in_sessions != counts["used"]:
        raise UnaccountedRowsError(f"{attempt}: {counts}, and {in_sessions} lines in {table.num_rows} sessions")
    return Published(run=attempt.parent.name, attempt=attempt.name, counts=counts, sessions=table.num_rows)


def _table(attempt: File) -> pa.Table:
    folder = attempt / SESSIONS
    return pq.read_table(folder.path, filesystem=folder.fs)


def _remove_old(home: File, kept: set[str], newest: File) -> None:
    """Remove all runs except ``kept``, and the other attempts of the published run."""
    for path in [*home.iterdir(), *newest.parent.iterdir()]:
        stale = path.name not in kept if path.parent.path == home.path else path.name != newest.name
        if path.name != POINTER and stale and path.is_dir():
            storage.remove(path)
