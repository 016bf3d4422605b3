"""Opens the outbox behind the connection ``postgres_default``, with this repository's routing."""

from __future__ import annotations

from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING

from include.core.connections import connection_exists
from include.core.warehouse.connect import connect
from include.ops.alerts.delivery import deliver
from include.ops.alerts.outbox import Outbox
from include.ops.alerts.routing import routing, silences

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION = "postgres_default"
CONNECT_SECONDS = 3


@contextmanager
def open_outbox() -> Iterator[Outbox]:
    """Open the outbox; the connection is read each time, since its password may have changed.

    Raises:
        AirflowNotFoundException: if the connection is missing, or can't be read.
        psycopg.errors.UndefinedTable: when used, if the warehouse isn't migrated.
        psycopg.OperationalError: if the warehouse can't be reached within three seconds.
    """
    from include.core.dag import warehouse_uri

    uri = warehouse_uri(CONNECTION)
    with connect(uri, connect_timeout=CONNECT_SECONDS, statement_timeout=10, lock_timeout=10) as session:
        yield Outbox(session, routing(), silences(), deliver, cache(connection_exists))
