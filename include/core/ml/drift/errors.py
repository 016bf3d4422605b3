"""What monitoring raises so that somebody is told."""

from __future__ import annotations


class DriftError(Exception):
    """Served predictions differ from what the model was trained on; the message names segment, feature and numbers."""
