"""What publishing a result may raise."""

from __future__ import annotations


class UnaccountedRowsError(Exception):
    """Rows were lost or doubled between input and output; nothing was published."""
