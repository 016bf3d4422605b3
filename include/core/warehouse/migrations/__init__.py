"""Alembic migrations of the platform's own tables in the warehouse; tables of datasets are created by a load.

A migration is a file ``versions/NNNN_what_it_does.py``. Where possible, it leaves the tables usable for the previous
release, whose workers may still be finishing tasks. There are no downgrades.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from include.core.warehouse.connect import connect, schema
from include.core.warehouse.errors import NotMigratedError

if TYPE_CHECKING:
    from include.core.warehouse.connect import Session

VERSION_TABLE = "spellbook_version"
LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('warehouse schema', 0))"
LATEST = max(path.name[:4] for path in (Path(__file__).parent / "versions").glob("[0-9]*.py"))


def migrate(uri: str) -> str:
    """Apply the pending migrations in one transaction; return the version, which a later release may have raised.

    Args:
        uri: the warehouse, see :func:`include.core.warehouse.connect.conninfo`.

    Raises:
        psycopg.OperationalError: if the warehouse can't be reached.
        sqlalchemy.exc.DBAPIError: if a migration fails; the warehouse is unchanged.
    """
    from alembic.command import upgrade
    from alembic.config import Config
    from sqlalchemy import NullPool, create_engine

    with connect(uri) as session:
        if (version := _version(session)) > LATEST:
            return version
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.attributes["engine"] = create_engine(
        "postgresql+psycopg://", creator=lambda: _transactional(uri), poolclass=NullPool
    )
    upgrade(config, "head")
    return LATEST


def require_migrated(session: Session) -> None:
    """Check that the warehouse is migrated to this release or a later one.

    Raises:
        NotMigratedError: if it isn't.
    """
    if (version := _version(session)) < LATEST:
        raise NotMigratedError(
            f"the warehouse's platform tables in schema {schema()} have version {version or 'none'}, but this release"
            f" needs {LATEST}. Migrate them: see docs/deploy.md, Migrations."
        )


def _version(session: Session) -> str:
    """Return the version of the platform's tables; empty if there are none."""
    try:
        with session.transaction():
            row = session.execute("SELECT max(version_num) FROM spellbook_version").fetchone()
    except psycopg.errors.UndefinedTable:
        row = None
    return str(row[0] or "") if row else ""


def _transactional(uri: str) -> Session:
    session = connect(uri, statement_timeout=3600, lock_timeout=600, idle_timeout=3600)
    session.autocommit = False
    return session
