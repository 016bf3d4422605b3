"""Roles and databases on the two PostgreSQL servers: one role for each purpose, with the password now in force.

A password may change from one start to the next; only the superuser's can't, since the server took it when its volume
was made.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import psycopg
from psycopg import sql

from deploy.compose import secrets
from deploy.compose.errors import SetupError

PATIENCE = 60  # seconds


@dataclass(frozen=True)
class Server:
    """One PostgreSQL server.

    Attributes:
        host: its name in the stack's network.
        port: where it listens.
        superuser_secret: secret that holds the superuser's password.
        databases: name of each database to the role that owns it.
        passwords: name of each role to the secret that holds its password.
        monitored: predefined roles that the role monitor is a member of.
    """

    host: str
    superuser_secret: str
    databases: dict[str, str]
    passwords: dict[str, str]
    monitored: tuple[str, ...]
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
        {"loader": "loader-password", "monitor": "monitor-password"},
        ("pg_monitor", "pg_read_all_data"),
    ),
)
MONITOR = "monitor"


def prepare(server: Server) -> None:
    """Create what is missing, and set every role's password.

    Raises:
        SetupError: if the server doesn't answer within a minute or refuses the superuser's password.
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
        for database, owner in server.databases.items():
            if not session.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone():
                session.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(database), sql.Identifier(owner))
                )
            session.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(sql.Identifier(database)))
            session.execute(
                sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(sql.Identifier(database), sql.Identifier(MONITOR))
            )


def _superuser(server: Server) -> psycopg.Connection[tuple[object, ...]]:
    password = secrets.read(server.superuser_secret)
    deadline = time.monotonic() + PATIENCE
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
                    " changed after the server's volume was made. Give the earlier one again, then change it with"
                    f" ALTER ROLE postgres PASSWORD on {server.host}, then give the new one."
                ) from None
            if time.monotonic() > deadline:
                raise SetupError(f"the server {server.host} didn't answer within {PATIENCE} s: {error}") from error
            time.sleep(1)
