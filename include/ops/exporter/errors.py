"""What can go wrong while metrics are collected."""

from __future__ import annotations


class SourceError(Exception):
    """A source of metrics can't be read; the message holds no secret."""
