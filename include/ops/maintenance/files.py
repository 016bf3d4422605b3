"""Removes old log files, and old folders of runs in object storage."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.core.storage import remove

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from include.core.storage import File

RUNS = "*/*"  # <dag>/<run>

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Expired:
    """Items older than the retention period.

    Attributes:
        count: number of items.
        size: size of files in bytes; otherwise 0.
        removed: whether they were removed.
    """

    count: int
    size: int
    removed: bool


def old_logs(folder: Path, older_than: dt.timedelta, now: dt.datetime, *, dry_run: bool) -> Expired:
    """Remove log files last written before ``now`` - ``older_than``, and folders that become empty.

    A symbolic link is neither followed nor removed.

    Raises:
        OSError: if a file can't be removed.
    """
    count = size = 0
    limit = (now - older_than).timestamp()
    for path in sorted(folder.rglob("*.log")):
        if path.is_symlink() or not path.is_file() or (status := path.stat()).st_mtime >= limit:
            continue
        count, size = count + 1, size + status.st_size
        log.info("%s %s", "would remove" if dry_run else "removing", path)
        if not dry_run:
            path.unlink()
            _remove_empty(path.parent, folder)
    return Expired(count, size, not dry_run)


def old_run_folders(
    top: File, older_than: dt.timedelta, now: dt.datetime, *, dry_run: bool, runs: str = RUNS
) -> Expired:
    """Remove the folders of :func:`unused_run_folders`."""
    folders = list(unused_run_folders(top, older_than, now, runs))
    for folder in folders:
        log.info("%s %s", "would remove" if dry_run else "removing", folder)
        if not dry_run:
            remove(folder)
    return Expired(len(folders), 0, not dry_run)


def unused_run_folders(top: File, older_than: dt.timedelta, now: dt.datetime, runs: str = RUNS) -> Iterator[File]:
    """Yield the folders ``runs`` below ``top`` to which nothing was written within ``older_than`` of ``now``."""
    folders: list[File] = list(top.glob(runs))
    for folder in sorted(folders, key=str):
        times = [folder.fs.modified(path) for path in folder.fs.find(folder.path)]
        if all(now - time.replace(tzinfo=time.tzinfo or dt.UTC) > older_than for time in times):
            yield folder


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
