"""Where MLflow is, and a client that logs in."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from include.core.errors import ConfigurationError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = {
    # MLflow's defaults would block a task for minutes; Airflow retries later, when the server may have restarted.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    # The telemetry thread sets and unsets environment variables, which makes other threads fail at times (3.17.2).
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
}


class _Connection(Protocol):
    """An Airflow connection."""

    host: str | None
    login: str | None
    password: str | None


@dataclass(frozen=True)
class Server:
    """An MLflow server.

    Attributes:
        url: http://host:port.
        login: name of a user; empty if the server has none.
        password: the user's password.
    """

    url: str
    login: str = ""
    password: str = field(default="", repr=False)

    @classmethod
    def of(cls, connection: _Connection) -> Server:
        """Return the server behind an Airflow connection.

        Raises:
            ConfigurationError: if the connection has no host.
        """
        if not connection.host:
            raise ConfigurationError("the connection to MLflow has no host; allowed: http://host:port")
        return cls(connection.host, connection.login or "", connection.password or "")


def client(server: Server) -> MlflowClient:
    """Return a client with short timeouts; MLflow has one login for all clients of a process, that of the last one."""
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    if server.login:
        os.environ["MLFLOW_TRACKING_USERNAME"] = server.login
        os.environ["MLFLOW_TRACKING_PASSWORD"] = server.password
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=server.url, registry_uri=server.url)
