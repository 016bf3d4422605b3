"""Errors that the embedded stack reports to its user."""

from __future__ import annotations


class StackError(RuntimeError):
    """A condition that the user can fix; the message says what is wrong and what to do."""
