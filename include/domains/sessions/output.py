"""Where results stand: each attempt writes a folder of its own, and one small file says which of them counts.

Neither a bucket nor a shared folder can swap two folders in one step, but both can swap a file. So readers follow
``current.json``; an attempt that was killed, or one too many, is never seen.
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
    """Rows were lost or doubled between input and output; nothing was published."""


class Published(BaseModel):
    """The result that counts.

    Attributes:
        run: folder of the run, below the folder of the results.
        attempt: folder of the attempt, below that of the run.
        counts: rows read, unreadable, repeated, anonymous and used.
        sessions: rows in the result.
    """

    run: str
    attempt: str
    counts: dict[str, int]
    sessions: int


def folder_of(root: File, engine: str, run_id: str) -> File:
    """Return ``{root}/sessions/{engine}/{run}``; an attempt adds a folder ``try-{n}``."""
    return root / "sessions" / engine / storage.file_name(run_id)


def foreign_url(path: File) -> str:
    """Return a URL as other programs than Airflow know it: without the connection's id before the bucket."""
    url = str(path)
    scheme, separator, rest = url.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}" if scheme in {"s3", "s3a"} else f"{scheme}{separator}{rest}"


def hadoop_url(path: File) -> str:
    """Return a URL as Spark knows it: its file system for S3 goes by the name of s3a."""
    return foreign_url(path).replace("s3://", "s3a://", 1)


def publish(folder: File) -> Published:
    """Make the newest whole attempt of a run the result that counts, and remove what was there before the last one.

    Raises:
        FileNotFoundError: if no attempt of the run is whole.
        UnaccountedRowsError: if rows in aren't rows out.
    """
    attempts = [path for path in folder.glob("try-*") if all((path / name / SUCCESS).exists() for name in _FOLDERS)]
    if not attempts:
        raise FileNotFoundError(f"no attempt in {folder} is whole: clear the task that writes it")
    newest = max(attempts, key=lambda path: int(path.name.removeprefix("try-")))
    found = _checked(newest)
    home = folder.parent
    before = current(home)
    storage.write(home / POINTER, found.model_dump_json().encode())
    log.info("%s: %d sessions out of %s", newest, found.sessions, found.counts)
    _tidy(home, {found.run, before.run if before else found.run}, newest)
    return found


def discard(folder: File) -> None:
    """Remove what a run wrote, unless it is the result that counts."""
    counting = current(folder.parent)
    if folder.exists() and (counting is None or counting.run != folder.name):
        folder.fs.rm(folder.path, recursive=True)
        log.info("removed %s", folder)


def current(home: File) -> Published | None:
    """Return the result that counts below ``{root}/sessions/{engine}``; ``None`` before the first."""
    pointer = home / POINTER
    return Published.model_validate_json(pointer.read_bytes()) if pointer.exists() else None


def load(home: File) -> pa.Table:
    """Read the sessions of the result that counts.

    Raises:
        FileNotFoundError: if nothing was published yet.
    """
    found = current(home)
    if found is None:
        raise FileNotFoundError(f"{home / POINTER}: nothing was published yet")
    return _table(home / found.run / found.attempt)


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


def _tidy(home: File, kept: set[str], newest: File) -> None:
    """Remove all runs but those that readers may be reading, and the published run's other attempts."""
    for path in [*home.iterdir(), *newest.parent.iterdir()]:
        stale = path.name not in kept if path.parent.path == home.path else path.name != newest.name
        if path.name != POINTER and stale and path.is_dir():
            path.fs.rm(path.path, recursive=True)
