"""What the one-shot jobs refuse."""

from __future__ import annotations


class SetupError(Exception):
    """Something that has to be fixed before the stack can start; the message says what, where and how."""
