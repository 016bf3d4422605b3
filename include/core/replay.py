"""Tracks the recorded day of replayed sample data, from the response to the load log.

An upstream that replays a recorded day in place of the requested one names it in the header ``X-Replayed-Day``.
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
    """Rows from an upstream; ``replayed_from`` is the recorded day that they replay, ``None`` for real data."""

    rows: Iterable[Any]
    replayed_from: dt.date | None


def replayed_day(headers: Mapping[str, str]) -> dt.date | None:
    """Return the recorded day named in the headers of a response.

    Raises:
        ValueError: if it isn't a date, YYYY-MM-DD.
    """
    value = headers.get(HEADER)
    return None if value is None else dt.date.fromisoformat(value)


def write_replayed_day(file: File, replayed_from: dt.date | None) -> None:
    """Record which day a file replays, in a sidecar file."""
    sidecar = sidecar_path(file)
    if replayed_from is None:
        sidecar.unlink(missing_ok=True)
    else:
        write(sidecar, replayed_from.isoformat().encode())


def read_replayed_day(file: File) -> dt.date | None:
    """Return the day that a file replays, as stored by :func:`write_replayed_day`.

    Raises:
        ValueError: if the sidecar file doesn't contain a date.
    """
    sidecar = sidecar_path(file)
    if not sidecar.exists():
        return None
    try:
        return dt.date.fromisoformat(sidecar.read_text())
    except ValueError:
        raise ValueError(f"{sidecar} doesn't contain a date, YYYY-MM-DD") from None


def sidecar_path(file: File) -> File:
    """Return the path of the file that stores the recorded day of ``file``."""
    return file.with_name(file.name + SUFFIX)


def describe_day(day: object, replayed_from: dt.date | None) -> str:
    """Return a day as text: ``2026-11-24, replay of 2010-12-20``."""
    return f"{day}, replay of {replayed_from}" if replayed_from else f"{day}"
