"""Alembic environment: runs all pending migrations in one transaction, one process at a time."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text
from sqlalchemy.schema import CreateSchema

from include.core.warehouse.connect import schema
from include.core.warehouse.migrations import LOCK, VERSION_TABLE

with context.config.attributes["engine"].begin() as connection:
    connection.execute(text(LOCK))
    if connection.scalar(text("SELECT to_regnamespace(:schema) IS NULL"), {"schema": schema()}):
        connection.execute(CreateSchema(schema()))
    context.configure(connection=connection, version_table=VERSION_TABLE)
    context.run_migrations()
