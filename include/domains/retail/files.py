"""Selects the files and days that a run of a retail DAG processes."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from typing import TYPE_CHECKING, Any

from include.core.errors import ConfigurationError
from include.core.replay import read_replayed_day, write_replayed_day
from include.core.storage import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from include.core.storage import File

LANDED = "retail/landed"
NAME = re.compile(r"online_retail_(\d{4}-\d{2}-\d{2})\.csv", re.ASCII)


def file_name(day: str) -> str:
    """Return the name of a day's file."""
    return f"online_retail_{day}.csv"


def requested_days(param: Sequence[str] | None, extras: Iterable[dict[str, Any]]) -> list[str] | None:
    """Return the days that a run is to process, in order; ``None`` for all days.

    Args:
        param: the run's param ``days``, which takes precedence.
        extras: extras of the asset events that triggered the run; each may contain ``days``.

    Raises:
        ConfigurationError: if a day is invalid.
    """
    days = param or [day for extra in extras for day in extra.get("days", ())]
    try:
        return sorted({dt.date.fromisoformat(day).isoformat() for day in days}) or None
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"days: {days!r}: {error}; write each as 2010-12-20") from error


def find(folders: Sequence[File], days: Sequence[str] | None) -> list[dict[str, str]]:
    """Return ``{"source": URL, "partition": day}`` for each day's file, sorted by day.

    Args:
        folders: folders to search; if several have a day, the first one takes precedence.
        days: the requested days; ``None`` for all days.

    Raises:
        ConfigurationError: if a requested day has no file, or there are no files at all.
    """
    sources: dict[str, str] = {}
    for folder in folders:
        for file in folder.iterdir() if folder.exists() else ():
            if match := NAME.fullmatch(file.name):
                sources.setdefault(match[1], str(file))
    requested = sorted(sources) if days is None else days
    missing = [day for day in requested if day not in sources]
    if missing or not requested:
        searched = " and ".join(str(folder) for folder in folders)
        raise ConfigurationError(f"no file {file_name(', '.join(missing) or '<day>')} in {searched}")
    return [{"source": sources[day], "partition": day} for day in requested]


def land(source: File, landing: File) -> str:
    """Copy a file and its sample-data marker to the landing folder, atomically; return the URL of the copy."""
    target = landing / source.name
    write_replayed_day(target, read_replayed_day(source))
    with source.open("rb") as original, writing(target) as file:
        shutil.copyfileobj(original, file)
    return str(target)
