"""Sample data that an upstream replays: the recorded day stays known, from the answer to the load log.

An upstream that replays a recorded day for the one asked for names it in the header ``X-Replayed-Day``.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, NamedTuple

from include.core.storage import write

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from include.core.storage import File

HEADER = "X-Replayed-Day"
SUFFIX = ".replayed"


class Rows(NamedTuple):
    """Rows as an upstream gave them; ``replayed_from`` is the recorded day that they replay, ``None`` for real data."""

    rows: Iterable[Any]
    replayed_from: dt.date | None


def replayed_day(headers: Mapping[str, str]) -> dt.date | None:
    """Return the day that an answer's headers name.

    Raises:
        ValueError: if it isn't one day, YYYY-MM-DD.
    """
    value = headers.get(HEADER)
    return None if value is None else dt.date.fromisoformat(value)


def mark(file: File, replayed_from: dt.date | None) -> None:
    """Keep beside a file which recorded day it replays."""
    beside = label_of(file)
    if replayed_from is None:
        beside.unlink(missing_ok=True)
    else:
        write(beside, replayed_from.isoformat().encode())


def marked(file: File) -> dt.date | None:
    """Return the recorded day that a file replays, as :func:`mark` kept it.

    Raises:
        ValueError: if what is beside the file isn't a day.
    """
    beside = label_of(file)
    return dt.date.fromisoformat(beside.read_text()) if beside.exists() else None


def label_of(file: File) -> File:
    """Return where the recorded day of a file is kept."""
    return file.with_name(file.name + SUFFIX)


def described(day: object, replayed_from: dt.date | None) -> str:
    """Return a day in words: ``2026-11-24, replay of 2010-12-20``."""
    return f"{day}, replay of {replayed_from}" if replayed_from else f"{day}"
