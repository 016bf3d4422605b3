"""Finds connections that not every deployment has.

Airflow raises ``AirflowNotFoundException`` for a connection that is missing and for one whose secrets backend, or API
server, didn't answer. Only the first may be passed over in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow.sdk import Connection


class UnreadableConnectionError(Exception):
    """A secrets backend didn't tell whether it has a connection; can be retried."""


def find_connection(conn_id: str) -> Connection | None:
    """Return the connection as it is now; ``None`` if there is none of this name.

    Raises:
        UnreadableConnectionError: if a secrets backend, or the API server, didn't answer.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowNotFoundException

    try:
        connection: Connection = Connection.get(conn_id)
    except AirflowNotFoundException:
        _require_missing(conn_id)
        return None
    return connection


def connection_exists(conn_id: str) -> bool:
    """Return whether Airflow has the connection.

    Raises:
        UnreadableConnectionError: as :func:`find_connection`.
    """
    return find_connection(conn_id) is not None


def _require_missing(conn_id: str) -> None:
    """Check that every secrets backend says that it lacks the connection."""
    from airflow.sdk.exceptions import ErrorType
    from airflow.sdk.execution_time import task_runner
    from airflow.sdk.execution_time.comms import ErrorResponse, GetConnection
    from airflow.sdk.execution_time.secrets import ExecutionAPISecretsBackend
    from airflow.sdk.execution_time.supervisor import ensure_secrets_backend_loaded

    for backend in ensure_secrets_backend_loaded():
        name = type(backend).__name__
        try:
            if isinstance(backend, ExecutionAPISecretsBackend):  # its own method returns None for every error
                response = task_runner.SUPERVISOR_COMMS.send(GetConnection(conn_id=conn_id))
                missing = isinstance(response, ErrorResponse) and response.error is ErrorType.CONNECTION_NOT_FOUND
                detail = response.error.value if isinstance(response, ErrorResponse) else "it has answered meanwhile"
            else:
                missing, detail = backend.get_connection(conn_id) is None, "it has answered meanwhile"
        except Exception as error:
            raise UnreadableConnectionError(
                f"can't read connection {conn_id!r}: {name} failed ({type(error).__name__})"
            ) from error
        if not missing:
            raise UnreadableConnectionError(f"can't read connection {conn_id!r}: {name} failed ({detail})")
