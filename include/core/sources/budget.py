"""The calls that all sources of a connection may make together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from include.core.sources.files import load_sources

if TYPE_CHECKING:
    from pathlib import Path


def calls_per_minute(folder: Path, conn_id: str) -> int | None:
    """Return the smallest ``limits.calls_per_minute`` that the valid sources of a connection state, if any.

    The rate limit belongs to the API, which all sources of its connection share, so the strictest one holds for each.
    """
    stated = (
        source.limits.calls_per_minute
        for source in load_sources(folder).sources.values()
        if source.connection == conn_id and source.path
    )
    return min((calls for calls in stated if calls), default=None)
