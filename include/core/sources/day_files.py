"""Finds the file of a day for a source that reads files."""

from __future__ import annotations

import datetime as dt
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from include.core.errors import ConfigurationError, MissingInputError
from include.core.settings import SOURCE_FOLDERS
from include.core.sources.model import DAY_FIELD

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.core.sources.model import Files, Source
    from include.core.storage import File

INBOX = "inbox"
SHOWN = 5


class NoFileError(MissingInputError):
    """The day's file hasn't arrived."""


class SeveralFilesError(ConfigurationError):
    """More than one file matches the name of a day's file."""


def find(source: Source, files: Files, day: dt.date, root: File, open_path: Callable[[str], File]) -> File:
    """Return the file of a day.

    Args:
        source: the source, for messages.
        files: where its files are.
        day: the day.
        root: root of object storage.
        open_path: returns the path of a URL.

    Raises:
        ConfigurationError: if the folder isn't allowed.
        NoFileError: if there is no such file.
        SeveralFilesError: if the name matches several.
    """
    folder = allowed_folder(source, with_day(files.folder, day), root, open_path)
    name = with_day(files.name, day)
    found = [file for file in folder.iterdir() if fnmatchcase(file.name, _literal(name))] if folder.exists() else []
    if not found:
        raise NoFileError(f"source {source.name}, {day}: no file {name} in {folder}; the task is retried")
    if len(found) > 1:
        listed = ", ".join(sorted(file.name for file in found)[:SHOWN])
        raise SeveralFilesError(
            f"source {source.name}, {day}: {len(found)} files match {name} in {folder} ({listed}); one is expected:"
            f" make the name in {source.name}.yaml exact, or remove the others"
        )
    return found[0]


def allowed_folder(source: Source, folder: str, root: File, open_path: Callable[[str], File]) -> File:
    """Return the path of a folder that a source names.

    Raises:
        ConfigurationError: if it isn't below one of the allowed folders; symbolic links count as what they lead to.
    """
    inbox = root / INBOX
    is_relative = "://" not in folder and not folder.startswith("/")
    path = inbox / folder if is_relative else open_path(folder)
    allowed = [str(inbox), *filter(None, (item.strip() for item in SOURCE_FOLDERS.read().split(",")))]
    if not any(_is_below(_resolved(str(path)), _resolved(prefix)) for prefix in allowed):
        raise ConfigurationError(
            f"source {source.name}: files.folder: {folder} isn't in an allowed folder: {', '.join(allowed)}; add it to"
            f" {SOURCE_FOLDERS.name}"
        )
    return path


def with_day(text: str, day: dt.date) -> str:
    """Return a name with the day in place of ``{day}``, or ``{day:…}`` in that format."""
    return DAY_FIELD.sub(lambda match: day.strftime((match[1] or ":%Y-%m-%d")[1:]), text)


def _literal(name: str) -> str:
    """Return a pattern for fnmatch in which only ``*`` is special."""
    return name.replace("[", "[[]").replace("?", "[?]")


def _resolved(url: str) -> str:
    path = url.removeprefix("file://")
    return url if "://" in path else str(Path(path).resolve())


def _is_below(url: str, prefix: str) -> bool:
    return url == prefix.rstrip("/") or url.startswith(prefix.rstrip("/") + "/")
