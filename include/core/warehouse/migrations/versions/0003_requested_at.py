"""Record in ``load_log`` when the source was asked, and which expected values a load covers."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Add the columns; NULL in ``covered`` stands for the whole partition."""
    op.execute(
        "ALTER TABLE load_log ADD COLUMN requested_at timestamp with time zone NULL, ADD COLUMN covered text[] NULL"
    )
