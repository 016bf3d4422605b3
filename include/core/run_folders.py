"""The folders that hold what one run's tasks hand to each other, and how they go away."""

from __future__ import annotations

import datetime as dt
import logging
from typing import TYPE_CHECKING

from include.core.storage import file_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.storage import File

log = logging.getLogger(__name__)

HANDOFF = "handoff"


def folder_of(root: File, run_id: str) -> File:
    """Return ``{root}/handoff/{run}``."""
    return root / HANDOFF / file_name(run_id)


def remove(folder: File) -> None:
    """Remove a folder of hand-off files; one that is gone is no error."""
    if folder.exists():
        folder.fs.rm(folder.path, recursive=True)
        log.info("removed %s", folder)


def orphans(root: File, older_than: dt.timedelta, now: dt.datetime) -> Iterator[File]:
    """Yield the folders of runs that didn't clean up: no file in them was written within ``older_than`` of ``now``."""
    home = root / HANDOFF
    if not home.exists():
        return
    folders: list[File] = list(home.iterdir())
    for folder in sorted(folders, key=str):
        times = [folder.fs.modified(path) for path in folder.fs.find(folder.path)]
        if all(now - time.replace(tzinfo=time.tzinfo or dt.UTC) > older_than for time in times):
            yield folder
