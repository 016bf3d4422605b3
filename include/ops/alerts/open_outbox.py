"""Opens the outbox behind the connection ``postgres_default``, with this repository's routing."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from include.core.warehouse.connect import connect
from include.ops.alerts.delivery import deliver
from include.ops.alerts.outbox import Outbox
from include.ops.alerts.routing import routing, silences

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION = "postgres_default"
CONNECT_SECONDS = 3


@contextmanager
def open_outbox(uri: str = "") -> Iterator[Outbox]:
    """Open the outbox.

    Args:
        uri: URI of the warehouse; if empty, that of the connection.

    Raises:
        AirflowNotFoundException: if there is no such connection.
        psycopg.errors.UndefinedTable: when used, if the warehouse isn't migrated.
        psycopg.OperationalError: if the warehouse can't be reached within three seconds.
    """
    from include.core.dag import warehouse_uri

    location = uri or warehouse_uri(CONNECTION)
    with connect(location, connect_timeout=CONNECT_SECONDS, statement_timeout=10, lock_timeout=10) as session:
        yield Outbox(session, routing(), silences(), deliver)
