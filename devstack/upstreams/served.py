"""What the server remembers of a request."""

from __future__ import annotations

from typing import TypedDict


class ServedRequest(TypedDict):
    """One request that was served; ``status`` is None while (or if never) answered, ``time`` is UTC in ISO 8601."""

    number: int
    time: str
    method: str
    path: str
    query: dict[str, str]
    status: int | None
    scenario: str | None
