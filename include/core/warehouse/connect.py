"""Opens sessions on the warehouse from the URI of an Airflow connection, without importing Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import pq
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from include.core.errors import ConfigurationError
from include.core.extras import Extras

if TYPE_CHECKING:
    from include.core.warehouse.attempt import Attempt

SCHEMES = ("postgres", "postgresql")
# Extras that only Airflow's PostgresHook reads.
HOOK_EXTRAS = frozenset({"cursor", "sqlalchemy_query", "sqlalchemy_scheme"})
DEFAULTS = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}

Session = psycopg.Connection[tuple[object, ...]]


def conninfo(uri: str) -> str:
    """Return the libpq connection string for ``uri``.

    Args:
        uri: the result of Airflow's ``Connection.get_uri()`` (``postgres://`` with quoted parts, extras as query), any
            ``postgresql://`` URI, or a libpq string (``host=... dbname=...``).

    Raises:
        ConfigurationError: if the scheme isn't PostgreSQL's, or an extra is not a libpq parameter. The message holds
            neither password nor URI.
    """
    if "://" not in uri:
        return make_conninfo("", **(DEFAULTS | conninfo_to_dict(uri)))
    parts = urlsplit(uri)
    if parts.scheme not in SCHEMES:
        raise ConfigurationError(f"the warehouse's connection has type {parts.scheme!r}; allowed: {', '.join(SCHEMES)}")
    extras = Extras.of_query("the warehouse's connection", parts.query).values
    libpq = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    if unknown := sorted(set(extras) - libpq - HOOK_EXTRAS):
        raise ConfigurationError(
            f"the warehouse's connection has extras unknown to libpq: {', '.join(unknown)}; remove them"
        )
    location = parts.netloc.rpartition("@")[2]
    host, _, port = location.rpartition(":") if location.rpartition(":")[2].isdigit() else (location, "", "")
    fields = {
        "host": unquote(host).strip("[]"),
        "port": port,
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "dbname": unquote(parts.path.removeprefix("/")),
    }
    nonempty = {name: value for name, value in fields.items() if value}
    parameters = {name: str(value) for name, value in extras.items() if name in libpq}
    return make_conninfo("", **(DEFAULTS | nonempty | parameters))


def connect(
    uri: str,
    attempt: Attempt | None = None,
    *,
    statement_timeout: float = 300,
    lock_timeout: float = 30,
    idle_timeout: float = 60,
    connect_timeout: int | None = None,
) -> Session:
    """Open an autocommit session with timeouts; use it in a ``with`` statement.

    Args:
        uri: see :func:`conninfo`.
        attempt: task attempt that the session is named after in ``pg_stat_activity``.
        statement_timeout: seconds that one statement may take.
        lock_timeout: seconds to wait for a lock, such as that of another load of the same partition.
        idle_timeout: seconds that a transaction may be idle before the server ends the session.
        connect_timeout: seconds to wait for the server; defaults to the one in ``uri``, else 10.

    Raises:
        psycopg.OperationalError: if the server can't be reached or refuses the login.
    """
    name = attempt.application_name if attempt else "spellbook"
    session: Session = psycopg.connect(
        conninfo(uri), autocommit=True, application_name=name, connect_timeout=connect_timeout
    )
    session.execute(
        "SELECT set_config('statement_timeout', %s, false), set_config('lock_timeout', %s, false),"
        " set_config('idle_in_transaction_session_timeout', %s, false)",
        [f"{seconds * 1000:.0f}ms" for seconds in (statement_timeout, lock_timeout, idle_timeout)],
    )
    return session
