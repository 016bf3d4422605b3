"""The rows of ``quarantine`` no longer reference ``load_log``.

A load writes both in one transaction, and nothing removes rows of ``load_log``; the check of each row took as long as
half of its storing.
"""

from __future__ import annotations

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Drop the constraint; PostgreSQL named it, and kept the name when the table was created."""
    op.execute("ALTER TABLE quarantine DROP CONSTRAINT IF EXISTS quarantine_load_id_fkey")
