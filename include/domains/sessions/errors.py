"""What publishing a result may raise."""

from __future__ import annotations

from include.core.errors import PermanentError


class UnaccountedRowsError(PermanentError):
    """Rows were lost or doubled between input and output; nothing was published."""
