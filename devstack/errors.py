"""What the embedded stack tells its user when it can't go on."""

from __future__ import annotations


class StackError(RuntimeError):
    """A condition that the user can fix; the message says what is wrong and what to do."""
