"""Finds the file of a day for a source that reads files."""

from __future__ import annotations

import datetime as dt
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from include.core.errors import ConfigurationError, MissingInputError
from include.core.input_files import allowed
from include.core.sources.model import DAY_FIELD

if TYPE_CHECKING:
    from collections.abc import Callable

    from include.core.sources.model import Files, Source
    from include.core.storage import File

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
    folder = open_path(allowed(field_of(source), with_day(files.folder, day), root))
    name = with_day(files.name, day)
    folder.fs.invalidate_cache()  # a file may have arrived since this process listed the folder
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


def field_of(source: Source) -> str:
    """Return the field that names the folder, for messages."""
    return f"source {source.name}: files.folder"


def with_day(text: str, day: dt.date) -> str:
    """Return a name with the day in place of ``{day}``, or ``{day:…}`` in that format."""
    return DAY_FIELD.sub(lambda match: day.strftime((match[1] or ":%Y-%m-%d")[1:]), text)


def _literal(name: str) -> str:
    """Return a pattern for fnmatch in which only ``*`` is special."""
    return name.replace("[", "[[]").replace("?", "[?]")
