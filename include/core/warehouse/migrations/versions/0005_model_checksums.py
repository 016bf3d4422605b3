"""Checksums of the files of registered models."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Create the table."""
    op.execute("""
        CREATE TABLE model_checksum (
            model text NOT NULL,
            version integer NOT NULL,
            sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
            recorded_at timestamptz NOT NULL DEFAULT now(),
            PRIMARY KEY (model, version)
        )
    """)
