"""Load log, quarantine, alerts, rate limits, cache, predictions."""

from __future__ import annotations

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create missing tables; update those that predate the migrations."""
    # The driver's cursor, since a statement with parameters can't contain several commands.
    op.get_bind().connection.cursor().execute(Path(__file__).with_suffix(".sql").read_text())
