"""Airflow's own database: schema, the first user, pools and connections.

What people changed in the UI stays: a pool is only added, and a connection or a password is written anew only while it
still is what was written here the last time.
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
from include.core.settings import Connection

ADMIN = "admin"


def migrate() -> None:
    """Bring the schema up to date, the auth manager's tables included."""
    initdb()


def first_user(password: str, written: Written) -> str:
    """Create the user ``admin``, or give it a new password if another one is given; return what was done.

    Raises:
        SetupError: if the auth manager refuses it.
    """
    if written.was(ADMIN, password):
        return "kept"
    with get_application_builder() as builder:
        manager = builder.sm
        user = manager.find_user(username=ADMIN)
        done = (
            manager.reset_password(user.id, password)
            if user
            else manager.add_user(
                ADMIN, "Spellbook", "Admin", "admin@localhost", manager.find_role("Admin"), password=password
            )
        )
    if not done:
        raise SetupError(f"the user {ADMIN} could not be written; Airflow's log above says why")
    written.note(ADMIN, password)
    return "new password" if user else "created"


def add_pools() -> list[str]:
    """Add the declared pools that aren't there; return their names."""
    with create_session() as session:
        there = set(session.scalars(select(Pool.pool)))
        missing = [pool for pool in settings.POOLS if pool.name not in there]
        session.add_all(
            Pool(pool=pool.name, slots=pool.slots, description=pool.doc, include_deferred=False) for pool in missing
        )
    return [pool.name for pool in missing]


def write_connections(found: dict[str, Fields], written: Written) -> dict[str, str]:
    """Write the declared connections that lead somewhere; return by id what was done.

    A connection that the start-up wrote and that leads nowhere any more is removed.

    Args:
        found: fields of each connection, by connection id.
        written: what was written the last time.
    """
    done = {}
    with create_session() as session:
        for declared in settings.CONNECTIONS:
            stored = session.scalar(select(model.Connection).where(model.Connection.conn_id == declared.conn_id))
            if stored and not written.was(declared.conn_id, _text(stored)):
                done[declared.conn_id] = "left as it was changed"
            elif fields := found.get(declared.conn_id):
                wanted = _connection(declared, fields)
                if stored and _text(stored) == _text(wanted):
                    continue
                if stored:
                    session.delete(stored)
                    session.flush()
                session.add(wanted)
                written.note(declared.conn_id, _text(wanted))
                done[declared.conn_id] = "written"
            elif stored:
                session.delete(stored)
                done[declared.conn_id] = "removed: nothing is behind it"
    return done


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
    """Everything that makes up a connection, as one text."""
    names = ("conn_type", "description", "host", "port", "login", "password", "schema", "extra")
    return json.dumps([getattr(connection, name) or "" for name in names])
