"""Roles and databases on the two PostgreSQL servers: one role for each purpose, with the current password.

A password may change between starts, except the superuser's, which the server only reads when its volume is created.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import LiteralString

import psycopg
from psycopg import sql

from deploy.compose import secrets
from deploy.compose.errors import SetupError
from include.core.warehouse.connect import connect, schema

TIMEOUT = 60  # seconds


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server.

    Attributes:
        host: its name in the stack's network.
        port: its TCP port.
        superuser_secret: secret with the superuser's password.
        databases: owner role by database name.
        passwords: secret with the password by role name.
        monitored: predefined roles that are granted to the role monitor.
        readers: roles that may read every table, and write nothing.
    """

    host: str
    superuser_secret: str
    databases: dict[str, str]
    passwords: dict[str, str]
    monitored: tuple[str, ...]
    readers: tuple[str, ...] = ()
    port: int = 5432


SERVERS = (
    Server(
        "postgres",
        "postgres-password",
        {"airflow": "airflow", "celery": "celery", "mlflow": "mlflow"},
        {
            "airflow": "metadata-password",
            "celery": "results-password",
            "mlflow": "mlflow-password",
            "monitor": "monitor-password",
        },
        ("pg_monitor",),
    ),
    Server(
        "warehouse",
        "warehouse-password",
        {"warehouse": "loader"},
        {
            "loader": "loader-password",
            "model_server": "model-server-password",
            "reader": "reader-password",
            "monitor": "monitor-password",
        },
        ("pg_monitor", "pg_read_all_data"),
        ("reader",),
    ),
)
MONITOR, MODEL_SERVER = "monitor", "model_server"
RIGHTS: dict[str, LiteralString] = {  # of the model server in the warehouse: it can't record a checksum
    "spellbook_version": "SELECT",
    "model_checksum": "SELECT",
    "predictions": "SELECT, INSERT",
    "outcomes": "SELECT, INSERT, UPDATE",
}


def prepare(server: Server) -> None:
    """Create what is missing, and set every role's password.

    Raises:
        SetupError: if the server doesn't respond within a minute or refuses the superuser's password.
    """
    with _superuser(server) as session:
        for role, secret in server.passwords.items():
            if not session.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role]).fetchone():
                session.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(role)))
            session.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), sql.Literal(secrets.read(secret)))
            )
        session.execute(
            sql.SQL("GRANT {} TO {}").format(
                sql.SQL(", ").join(map(sql.Identifier, server.monitored)), sql.Identifier(MONITOR)
            )
        )
        for reader in map(sql.Identifier, server.readers):
            session.execute(sql.SQL("GRANT pg_read_all_data TO {}").format(reader))
            session.execute(sql.SQL("ALTER ROLE {} SET default_transaction_read_only = on").format(reader))
        for database, owner in server.databases.items():
            if not session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                session.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner))
                )
            session.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            guests = sorted(server.passwords.keys() - server.databases.values())
            session.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(
                    sql.Identifier(database), sql.SQL(", ").join(map(sql.Identifier, guests))
                )
            )


def grant_model_server(uri: str) -> None:
    """Give the model server's role its rights in the migrated warehouse at ``uri``, whose tables the login owns."""
    with connect(uri) as session, session.transaction():
        role = sql.Identifier(MODEL_SERVER)
        session.execute(sql.SQL("GRANT USAGE ON SCHEMA {} TO {}").format(sql.Identifier(schema()), role))
        for table, rights in RIGHTS.items():
            session.execute(sql.SQL("GRANT {} ON {} TO {}").format(sql.SQL(rights), sql.Identifier(table), role))


def _superuser(server: Server) -> psycopg.Connection[tuple[object, ...]]:
    password = secrets.read(server.superuser_secret)
    deadline = time.monotonic() + TIMEOUT
    while True:
        try:
            return psycopg.connect(
                host=server.host,
                port=server.port,
                user="postgres",
                password=password,
                dbname="postgres",
                autocommit=True,
                connect_timeout=5,
            )
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise SetupError(
                    f"the server {server.host} refuses its superuser's password: secret {server.superuser_secret} was"
                    " changed after the server's volume was created. Restore the old password, change it with"
                    f" ALTER ROLE postgres PASSWORD on {server.host}, then set the new one."
                ) from None
            if time.monotonic() > deadline:
                raise SetupError(f"the server {server.host} didn't respond within {TIMEOUT} s: {error}") from error
            time.sleep(1)
