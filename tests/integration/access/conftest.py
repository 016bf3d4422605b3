"""A real API server with FAB's users, as in Compose and on Kubernetes, on a database of its own."""

from __future__ import annotations

import secrets
import subprocess
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
import requests

from devstack import metadata
from devstack.environment import Upstream, airflow, process_environment
from devstack.state import REPOSITORY, State
from tests.integration.process import Process

if TYPE_CHECKING:
    from collections.abc import Iterator

    from devstack.postgres import Postgres

FAB = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
ROLES = ("Admin", "Op", "User", "Viewer", "Public")


@dataclass
class Api:
    """A running API server with a user of each role, which has the role's name, and a token of each."""

    url: str
    password: str
    tokens: dict[str, str] = field(default_factory=dict)

    def login(self, user: str, password: str, path: str = "") -> requests.Response:
        """Ask for a token."""
        body = {"username": user, "password": password}
        return requests.post(f"{self.url}/auth/token{path}", json=body, timeout=60)

    def token(self, user: str) -> str:
        """Return a new token of one of the users."""
        response = self.login(user, self.password)
        assert response.status_code == requests.codes.created, response.text
        return str(response.json()["access_token"])


@pytest.fixture(scope="package")
def api(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    state = State.open(tmp_path_factory.mktemp("access") / "state")
    state.port("api")  # not the preferred one, which others may use
    environment = airflow(state, Upstream.REPLAY, schedule=False) | {
        "AIRFLOW__CORE__AUTH_MANAGER": FAB,
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri(metadata.DATABASE, "postgresql+psycopg2"),
    }
    password = secrets.token_urlsafe(16)

    def run(*command: str) -> None:
        subprocess.run(
            [sys.executable, "-m", *command],
            env=process_environment() | environment,
            cwd=REPOSITORY,
            input=password,
            text=True,
            check=True,
        )

    metadata.prepare(state, postgres, lambda: run("airflow", "db", "migrate"))
    run("tests.integration.access.users", *ROLES)
    url = environment["AIRFLOW__API__BASE_URL"]
    server = Process(["airflow", "api-server"], url, state.logs / "api", environment, "/api/v2/monitor/health")
    server.start()
    try:
        api = Api(url, password)
        # At once: a test makes failed logins from this address.
        api.tokens |= {role: api.token(role) for role in ROLES}
        yield api
    finally:
        server.kill()
