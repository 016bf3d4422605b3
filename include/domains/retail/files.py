"""Which files and days a run of the retail DAGs is about."""

from __future__ import annotations

import datetime as dt
import re
import shutil
from typing import TYPE_CHECKING, Any

from include.core.errors import ConfigurationError
from include.core.replay import mark, marked
from include.core.storage import writing

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from include.core.storage import File

LANDED = "retail/landed"
DAYS: dict[str, Any] = {
    "default": None,
    "type": ["null", "array"],
    "items": {"type": "string", "format": "date"},
    "description": "Days such as 2010-12-20; null: those that the run was started for, else all.",
}
"""Arguments of the param ``days``."""
NAME = re.compile(r"online_retail_(\d{4}-\d{2}-\d{2})\.csv", re.ASCII)


def file_name(day: str) -> str:
    """Return the name of a day's file."""
    return f"online_retail_{day}.csv"


def days_asked(param: Sequence[str] | None, extras: Iterable[dict[str, Any]]) -> list[str] | None:
    """Return the days that a run is told to work on, in order; ``None`` for all that there are.

    Args:
        param: the run's param ``days``, which wins.
        extras: of the asset events that started the run; each may hold ``days``.

    Raises:
        ConfigurationError: if one isn't a day.
    """
    told = param or [day for extra in extras for day in extra.get("days", ())]
    try:
        return sorted({dt.date.fromisoformat(day).isoformat() for day in told}) or None
    except (TypeError, ValueError) as error:
        raise ConfigurationError(f"days: {told!r}: {error}; write each as 2010-12-20") from error


def find(folders: Sequence[File], days: Sequence[str] | None) -> list[dict[str, str]]:
    """Return ``{"source": URL, "partition": day}`` of each day's file, by day.

    Args:
        folders: where files may lie; of a day that several have, the first one's is taken.
        days: the days wanted; ``None`` for all that there are.

    Raises:
        ConfigurationError: if a wanted day has no file, or there is none at all.
    """
    there: dict[str, str] = {}
    for folder in folders:
        for file in folder.iterdir() if folder.exists() else ():
            if found := NAME.fullmatch(file.name):
                there.setdefault(found[1], str(file))
    wanted = sorted(there) if days is None else days
    missing = [day for day in wanted if day not in there]
    if missing or not wanted:
        looked = " and ".join(str(folder) for folder in folders)
        raise ConfigurationError(f"no file {file_name(', '.join(missing) or '<day>')} in {looked}")
    return [{"source": there[day], "partition": day} for day in wanted]


def land(source: File, landing: File) -> str:
    """Copy a file to the landing folder, whole or not at all, and return its URL there; a label goes with it."""
    target = landing / source.name
    mark(target, marked(source))
    with source.open("rb") as arrived, writing(target) as file:
        shutil.copyfileobj(arrived, file)
    return str(target)
