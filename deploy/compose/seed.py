"""Airflow's own database: schema, the first user, pools and connections.

Changes made in the UI are kept: pools are only added, and a connection or a password is only rewritten if it is still
what this module wrote last.
"""

from __future__ import annotations

import json

from airflow.models import connection as model
from airflow.models.pool import Pool
from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.utils.db import initdb
from airflow.utils.session import create_session
from sqlalchemy import select

from deploy.compose.endpoints import Fields
from deploy.compose.errors import SetupError
from deploy.compose.written import Written
from include import settings
from include.core.settings import POSTGRES, Connection
from include.core.warehouse.migrations import migrate as migrate_tables

ADMIN, ADMIN_HASH = "admin", "admin's password hash"


def migrate() -> None:
    """Upgrade the schema, including the auth manager's tables."""
    initdb()


def migrate_warehouse() -> str:
    """Migrate the platform's own tables behind ``postgres_default``; return their version."""
    connection = model.Connection.get_connection_from_secrets(POSTGRES.conn_id)
    return migrate_tables(connection.get_uri())


def ensure_admin(password: str, written: Written) -> str:
    """Create the user ``admin``, or set its new password if the secret has changed; return what was done.

    Raises:
        SetupError: if the auth manager refuses it.
    """
    if written.matches(ADMIN, password):
        return "kept"
    with get_application_builder() as builder:
        manager = builder.sm
        user = manager.find_user(username=ADMIN)
        if user and written.differs(ADMIN_HASH, user.password):
            return "kept, since its password was changed in Airflow; `airflow users reset-password` sets another"
        succeeded = (
            manager.reset_password(user.id, password)
            if user
            else manager.add_user(
                ADMIN, "Spellbook", "Admin", "admin@localhost", manager.find_role("Admin"), password=password
            )
        )
        if not succeeded:
            raise SetupError(f"the user {ADMIN} could not be written; see Airflow's log above")
        written.record(ADMIN_HASH, manager.find_user(username=ADMIN).password)
    written.record(ADMIN, password)
    return "new password" if user else "created"


def add_pools() -> list[str]:
    """Add the missing declared pools; return their names."""
    with create_session() as session:
        existing = set(session.scalars(select(Pool.pool)))
        missing = [pool for pool in settings.POOLS if pool.name not in existing]
        session.add_all(
            Pool(pool=pool.name, slots=pool.slots, description=pool.doc, include_deferred=False) for pool in missing
        )
    return [pool.name for pool in missing]


def write_connections(available: dict[str, Fields], written: Written) -> dict[str, str]:
    """Write the declared connections that have a service; return by id what was done.

    A connection that was written at an earlier start and has no service any more is removed.

    Args:
        available: fields of each connection, by connection id.
        written: what was written last.
    """
    actions, added = {}, {}
    with create_session() as session:
        for declared in settings.CONNECTIONS:
            stored = session.scalar(select(model.Connection).where(model.Connection.conn_id == declared.conn_id))
            if stored and not written.matches(declared.conn_id, _text(stored)):
                actions[declared.conn_id] = "kept, since it was changed"
            elif fields := available.get(declared.conn_id):
                current = _connection(declared, fields)
                if stored and _text(stored) == _text(current):
                    continue
                if stored:
                    session.delete(stored)
                    session.flush()
                session.add(current)
                added[declared.conn_id] = _text(current)
                actions[declared.conn_id] = "written"
            elif stored:
                session.delete(stored)
                actions[declared.conn_id] = "removed, since it has no service"
    for conn_id, text in added.items():  # once they are committed
        written.record(conn_id, text)
    return actions


def _connection(declared: Connection, fields: Fields) -> model.Connection:
    return model.Connection(
        conn_id=declared.conn_id,
        conn_type=declared.conn_type,
        description=fields.get("description", declared.doc),
        host=fields.get("host"),
        port=fields.get("port"),
        login=fields.get("login"),
        password=fields.get("password"),
        schema=fields.get("schema"),
        extra=json.dumps(fields["extra"]) if "extra" in fields else None,
    )


def _text(connection: model.Connection) -> str:
    """Return all fields of a connection as a string."""
    names = ("conn_type", "description", "host", "port", "login", "password", "schema", "extra")
    return json.dumps([getattr(connection, name) or "" for name in names])
