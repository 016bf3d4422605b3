"""Checksums of all files of registered models, not only of the model itself."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the path to the key."""
    op.execute("ALTER TABLE model_checksum ADD COLUMN path text NOT NULL DEFAULT 'model/model.skops'")
    op.execute("ALTER TABLE model_checksum ALTER COLUMN path DROP DEFAULT")
    op.execute("ALTER TABLE model_checksum DROP CONSTRAINT model_checksum_pkey, ADD PRIMARY KEY (model, version, path)")
