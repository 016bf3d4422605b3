"""Answers of challengers beside those of the champion, and how long each took."""

from __future__ import annotations

from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns; the inputs of a challenger's answer are in the champion's row."""
    op.execute("""
        ALTER TABLE predictions
            ADD COLUMN role text NOT NULL DEFAULT 'champion',
            -- The champion's answer to the same row. The outcome, when it is known, is that answer's.
            ADD COLUMN champion_id uuid,
            -- To predict this row and those that were predicted together with it; NULL if an earlier release did.
            ADD COLUMN milliseconds double precision,
            ALTER COLUMN inputs DROP NOT NULL,
            ADD CONSTRAINT predictions_role CHECK (
                (role = 'champion' AND champion_id IS NULL AND inputs IS NOT NULL)
                OR (role = 'challenger' AND champion_id IS NOT NULL)
            )
    """)
