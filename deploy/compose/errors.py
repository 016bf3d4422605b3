"""Errors of the one-shot jobs."""

from __future__ import annotations


class SetupError(Exception):
    """A problem that has to be fixed before the stack can start; the message says what, where and how."""
