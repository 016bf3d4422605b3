"""The record of a served request."""

from __future__ import annotations

from typing import TypedDict


class ServedRequest(TypedDict):
    """One served request; ``status`` is None until a response is sent, ``time`` is UTC in ISO 8601."""

    number: int
    time: str
    method: str
    path: str
    query: dict[str, str]
    status: int | None
    scenario: str | None
