"""The headers that an Airflow HTTP connection stands for."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING

from include.core.extras import Extras

if TYPE_CHECKING:
    from airflow.sdk import Connection


OPTIONS = {"allow_redirects", "check_response", "max_redirects", "stream", "timeout", "trust_env"}
"""Extras that Airflow's hook doesn't send, and that this repository's client decides itself."""


def connection_headers(connection: Connection) -> dict[str, str]:
    """Return the headers of a connection, as Airflow's HTTP hook sends them: the extras, and a login as basic.

    Raises:
        ConfigurationError: an extra isn't a string, or the extras aren't a JSON object.
    """
    extras = Extras.of(connection)
    headers = {name: extras.text(name) for name in extras.values if name not in OPTIONS}
    if connection.login:
        login = f"{connection.login}:{connection.password or ''}"
        headers["Authorization"] = f"Basic {b64encode(login.encode()).decode()}"
    return headers
