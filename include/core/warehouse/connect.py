"""Opens sessions on the warehouse from the URI of an Airflow connection, without importing Airflow."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

import psycopg
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import Row
from typing_extensions import override

from include.core.errors import ConfigurationError
from include.core.extras import Extras
from include.core.settings import WAREHOUSE_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

    from include.core.warehouse.attempt import Attempt

SCHEMES = ("postgres", "postgresql")
# Extras that only Airflow's PostgresHook reads.
HOOK_EXTRAS = frozenset({"cursor", "sqlalchemy_query", "sqlalchemy_scheme"})
DEFAULTS = {"connect_timeout": "10", "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}
BARE = re.compile(r"[^:]*(:\d+)?|\[[^\]]*\](:\d+)?|[0-9A-Fa-f:.]*|")  # host and port without a login
UNQUOTED = (
    "the warehouse's connection isn't a valid URI; quote special characters in login and password: / is %2F, # is %23,"
    " @ is %40, [ is %5B"
)
SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
ENCODING = "UTF8"


class _Cursor(psycopg.Cursor[Row]):
    """Runs each statement in a transaction of its session."""

    @override
    def execute(self, *arguments: Any, **options: Any) -> Self:
        session = self.connection
        if isinstance(session, Session) and session.is_idle:
            if session.autocommit:
                with session.transaction():
                    return super().execute(*arguments, **options)
            session.apply_settings()
        return super().execute(*arguments, **options)


class Session(psycopg.Connection[tuple[object, ...]]):
    """A session on the warehouse, whose settings hold in each transaction.

    They are set with ``SET LOCAL``, so that they also hold, and don't leak to other clients, behind a pooler that
    assigns a server connection to each transaction, such as PgBouncer.
    """

    settings: sql.Composed | None = None

    @property
    def is_idle(self) -> bool:
        """Whether no transaction is open."""
        return self.info.transaction_status == pq.TransactionStatus.IDLE

    @contextmanager
    @override
    def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> Iterator[psycopg.Transaction]:
        outermost = self.is_idle
        with super().transaction(savepoint_name, force_rollback) as transaction:
            if outermost:
                self.apply_settings()
            yield transaction

    def apply_settings(self) -> None:
        """Set the settings for the transaction; not with a query, so that its isolation level can still be set."""
        if self.settings is not None:
            psycopg.Cursor(self).execute(self.settings)


def schema() -> str:
    """Return the schema with all tables that DAGs load and the platform's own.

    Raises:
        ConfigurationError: if ``SPELLBOOK_WAREHOUSE_SCHEMA`` isn't a plain name.
    """
    name = WAREHOUSE_SCHEMA.read()
    if not SCHEMA_NAME.fullmatch(name) or name.startswith("pg_"):
        raise ConfigurationError(
            f"{WAREHOUSE_SCHEMA.name}={name!r} isn't a schema's name: use lower-case letters, digits and _, not pg_…"
        )
    return name


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
    try:
        parts = urlsplit(uri)
    except ValueError:
        raise ConfigurationError(UNQUOTED) from None
    if parts.scheme not in SCHEMES:
        raise ConfigurationError(f"the warehouse's connection has type {parts.scheme!r}; allowed: {', '.join(SCHEMES)}")
    if "@" in parts.path + parts.fragment or (parts.username is None and not BARE.fullmatch(parts.netloc)):
        raise ConfigurationError(UNQUOTED)
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
        ConfigurationError: if the database's encoding isn't UTF8.
        psycopg.OperationalError: if the server can't be reached or refuses the login.
    """
    name = attempt.application_name if attempt else "spellbook"
    session = Session.connect(
        conninfo(uri),
        autocommit=True,
        prepare_threshold=None,  # a pooler may not know prepared statements
        application_name=name,
        connect_timeout=connect_timeout,
        cursor_factory=_Cursor,
    )
    try:
        _require_encoding(session)
        session.settings = sql.SQL("; ").join(
            sql.SQL("SET LOCAL {} = {}").format(sql.Identifier(setting), sql.Literal(value))
            for setting, value in {
                "search_path": schema(),
                "statement_timeout": f"{statement_timeout * 1000:.0f}ms",
                "lock_timeout": f"{lock_timeout * 1000:.0f}ms",
                "idle_in_transaction_session_timeout": f"{idle_timeout * 1000:.0f}ms",
            }.items()
        )
        psycopg.Cursor(session).execute("SET TimeZone = 'UTC'")  # a setting that poolers keep for each client
    except BaseException:
        session.close()
        raise
    return session


def _require_encoding(session: Session) -> None:
    encoding = session.info.parameter_status("server_encoding")
    if encoding != ENCODING:
        raise ConfigurationError(
            f"the warehouse's database {session.info.dbname!r} has the encoding {encoding}, which can't hold every"
            " text; create one with CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0, and copy the data"
        )
