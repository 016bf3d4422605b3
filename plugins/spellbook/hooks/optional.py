"""Connections that not every place has."""

from __future__ import annotations

from typing import Any

from airflow.sdk import Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowSkipException


def connection_or_skip(conn_id: str) -> Any:
    """Return a :class:`~airflow.sdk.Connection`.

    Raises:
        AirflowSkipException: if there is none by this name.
    """
    try:
        return Connection.get(conn_id)
    except AirflowNotFoundException:
        raise AirflowSkipException(f"no connection {conn_id!r} here: nothing to do for this task") from None
