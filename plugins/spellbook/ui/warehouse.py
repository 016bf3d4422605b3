"""Finds the warehouse in the API server's process."""

from __future__ import annotations

from include.core.settings import POSTGRES
from include.ops.health.reading import READER_URL_FILE, UnavailableError, reader_uri


def find_uri() -> str:
    """Return the URL of the role that only reads, if there is one, else the URI of the connection that DAGs use.

    Raises:
        UnavailableError: if the API server has neither.
    """
    from airflow.models.connection import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    if uri := reader_uri():
        return uri
    try:
        return str(Connection.get_connection_from_secrets(POSTGRES.conn_id).get_uri())
    except AirflowNotFoundException:
        raise UnavailableError(
            f"Not configured here: the API server has neither the file {READER_URL_FILE.read()}"
            f" ({READER_URL_FILE.name}) nor the connection {POSTGRES.conn_id}. See docs/data-health.md."
        ) from None
