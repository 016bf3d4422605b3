"""Profiles of the loads, with which later ones are compared."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the table."""
    op.execute("""
        CREATE TABLE load_profile (
            load_id bigint PRIMARY KEY REFERENCES load_log ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
            -- The values that the load was expected to have; loads with others aren't comparable.
            expected text[],
            profile jsonb NOT NULL,
            -- What was out of bounds, and the reason for which it was published.
            anomalies text[] NOT NULL DEFAULT '{}',
            accepted text,
            CHECK (anomalies = '{}' OR accepted IS NOT NULL)
        )
    """)
