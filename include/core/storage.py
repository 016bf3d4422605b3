"""Atomic writes to object storage, on a disk or in a bucket."""

from __future__ import annotations

import datetime as dt
import hashlib
import logging
import re
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from uuid import uuid4

from include.core import exact_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from upath import UPath
    from upath.extensions import ProxyUPath

    File = UPath | ProxyUPath  # Airflow's ObjectStoragePath is one of the latter

log = logging.getLogger(__name__)

HANDOFF = "handoff"
PREVIEW = "preview"
"""Folder below the root of object storage with the files that tasks of a run pass on, in a folder for each run."""

LONGEST_NAME = 100  # characters; leaves room for suffixes in the 255 bytes of a file name
DIGEST_MARK = "--"
RUN_TIME = re.compile(r"T(\d\d)-(\d\d)-(\d\d(?:\.\d{1,6})?)-(\d\d)-(\d\d)", re.ASCII)


def url_of(path: Path) -> str:
    """Return the URL of a file for fsspec (``ObjectStoragePath``, ``UPath``) and Hadoop.

    They don't decode percent-encoding, so ``Path.as_uri`` doesn't work for a path with a space.
    """
    return f"file://{path.absolute()}"


def file_name(text: str) -> str:
    """Return an id as a name for a file or folder, valid in every store; different ids have different names.

    An ordinary id is its own name, with ``-`` in place of the colons and the plus of a run's time. Any other one, such
    as ``x:y``, ``..`` or one of more than :data:`LONGEST_NAME` characters, ends in its digest: ``x-y--8a1c3f…``.
    """
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", text)
    is_ordinary = RUN_TIME.sub(r"T\1:\2:\3+\4:\5", name) == text and len(text) <= LONGEST_NAME
    if is_ordinary and name and not name.startswith(".") and DIGEST_MARK not in name:
        return name
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return f"{name[:LONGEST_NAME].lstrip('.')}{DIGEST_MARK}{digest}"


def task_file_name(task_id: str, map_index: int | None) -> str:
    """Return the name for the files of a task, or of one instance of a mapped task (else -1 or ``None``)."""
    is_mapped = map_index is not None and map_index >= 0
    return file_name(f"{task_id}[{map_index}]" if is_mapped else task_id)


def handoff_folder(root: File, dag_id: str, run_id: str) -> File:
    """Return ``{root}/handoff/{dag}/{run}``; runs of several DAGs may have the same id."""
    return root / HANDOFF / file_name(dag_id) / file_name(run_id)


def modified_at(file: File) -> dt.datetime:
    """Return when a file was last written."""
    time: dt.datetime = file.fs.modified(file.path)
    return time.replace(tzinfo=time.tzinfo or dt.UTC)


def remove(folder: File) -> None:
    """Remove a folder and its contents; a missing folder is ignored."""
    if folder.exists():
        folder.fs.rm(folder.path, recursive=True)
        log.info("removed %s", folder)


def write(path: File, content: bytes) -> str:
    """Write a file atomically and return its URL."""
    with writing(path) as file:
        file.write(content)
    return str(path)


@contextmanager
def writing(path: File) -> Iterator[BinaryIO]:
    """Write a file in chunks; it appears when the block succeeds, and not at all if it fails.

    For an object store the chunks go to a temporary file that is uploaded at the end; in a file system the complete
    file is renamed.
    """
    if path.protocol not in {"", "file"}:
        with tempfile.TemporaryFile() as buffer:
            yield buffer
            buffer.seek(0)
            with path.open("wb") as target:
                shutil.copyfileobj(buffer, target, 1024 * 1024)
        return
    file = Path(path.path)
    file.parent.mkdir(parents=True, exist_ok=True)
    unfinished = file.with_name(f".{file.name}.{uuid4().hex}")
    try:
        with unfinished.open("wb") as target:
            yield target
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


def json_lines(rows: Iterable[dict[str, Any]]) -> bytes:
    """Return one JSON object per line; what JSON doesn't have, such as NaN and dates, becomes a string.

    A lone surrogate, which UTF-8 doesn't have, is written as JSON's escape.
    """
    plain = (exact_json.loads(exact_json.dumps(row), parse_constant=str) for row in rows)
    return "".join(exact_json.dumps(row) + "\n" for row in plain).encode("utf-8", "backslashreplace")
