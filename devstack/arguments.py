"""Types of the command line's arguments, with messages that say what is allowed."""

from __future__ import annotations

import json
from argparse import ArgumentTypeError
from datetime import date
from typing import Any

from devstack.trigger import Kind


def day(text: str) -> date:
    """Return a day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a valid date; use YYYY-MM-DD, such as 2024-06-01") from None


def kind(text: str) -> Kind:
    """Return a kind of run."""
    try:
        return Kind(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not one of {', '.join(Kind)}") from None


def conf(text: str) -> dict[str, Any]:
    """Return a JSON object."""
    try:
        content = json.loads(text)
    except ValueError as error:
        raise ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise ArgumentTypeError(f'expected a JSON object such as {{"key": 1}}, got {text}')
    return content
