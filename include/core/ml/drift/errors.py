"""What monitoring raises so that somebody is told."""

from __future__ import annotations

from include.core.errors import PermanentError


class DriftError(PermanentError):
    """Served predictions differ from what the model was trained on; the message names segment, feature and numbers."""
