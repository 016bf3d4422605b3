"""Old files: found, told, and removed only if that is asked for."""

from __future__ import annotations

import datetime as dt
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from include.core.run_folders import orphans, remove

if TYPE_CHECKING:
    from pathlib import Path

    from include.core.storage import File

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Found:
    """What was older than allowed.

    Attributes:
        count: files or folders.
        size: bytes of files; 0 for folders.
        removed: whether they are gone now.
    """

    count: int
    size: int
    removed: bool


def old_logs(folder: Path, older_than: dt.timedelta, now: dt.datetime, *, dry_run: bool) -> Found:
    """Remove log files that were last written before ``now`` less ``older_than``, and folders that this leaves empty.

    A symbolic link is neither followed nor removed.

    Raises:
        OSError: if a file can't be removed.
    """
    count = size = 0
    limit = (now - older_than).timestamp()
    for path in sorted(folder.rglob("*.log")):
        if path.is_symlink() or not path.is_file() or (about := path.stat()).st_mtime >= limit:
            continue
        count, size = count + 1, size + about.st_size
        log.info("%s %s", "would remove" if dry_run else "removing", path)
        if not dry_run:
            path.unlink()
            _remove_empty(path.parent, folder)
    return Found(count, size, not dry_run)


def old_handoffs(root: File, older_than: dt.timedelta, now: dt.datetime, *, dry_run: bool) -> Found:
    """Remove hand-off folders of runs that didn't clean up."""
    folders = list(orphans(root, older_than, now))
    for folder in folders:
        log.info("%s %s", "would remove" if dry_run else "removing", folder)
        if not dry_run:
            remove(folder)
    return Found(len(folders), 0, not dry_run)


def _remove_empty(folder: Path, top: Path) -> None:
    while folder != top and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
