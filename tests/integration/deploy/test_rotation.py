"""Drills: keys of Airflow are rotated as ``docs/secrets.md`` says, at a real API server and its database.

Those of passwords are in ``test_databases.py`` and in ``tests/integration/titanic/test_logins.py``.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
import pytest
import requests
from cryptography.fernet import Fernet

from devstack.postgres import Postgres
from tests import forgery
from tests.integration.deploy.api_server import FERNET_KEY, JWT_SECRET, SESSION_KEY, ApiServer

pytestmark = pytest.mark.weekly

PASSWORD = "of-the-target-4004"  # pragma: allowlist secret


@pytest.fixture
def api_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    server = ApiServer(postgres, tmp_path_factory.mktemp("rotation"))
    yield server
    if server.running:
        server.stop()


def test_new_signing_keys_end_every_login(api_server: ApiServer) -> None:
    api_server.start()
    former = dict(api_server.environment)
    token = api_server.log_in().json()["access_token"]
    assert status(api_server, token) == requests.codes.ok
    assert forgery.is_admin(api_server.url, former[SESSION_KEY])
    api_server.stop()
    api_server.environment |= {name: secrets.token_hex(64) for name in (JWT_SECRET, SESSION_KEY)}
    api_server.start()
    assert status(api_server, token) == requests.codes.forbidden
    assert not forgery.is_admin(api_server.url, former[SESSION_KEY])
    assert status(api_server, api_server.log_in().json()["access_token"]) == requests.codes.ok
    assert forgery.is_admin(api_server.url, api_server.environment[SESSION_KEY])


def status(server: ApiServer, token: str) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{server.url}/api/v2/connections", headers=headers, timeout=60).status_code


def test_a_new_fernet_key_reads_what_the_old_one_has_written(api_server: ApiServer) -> None:
    old, new = (Fernet.generate_key().decode() for _ in range(2))

    def airflow(*command: str, key: str) -> str:
        return api_server.run("-m", "airflow", *command, **{FERNET_KEY: key})

    def stored() -> str:
        uri = api_server.environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace("postgresql+psycopg2", "postgresql")
        with psycopg.connect(uri) as session:
            [row] = session.execute("SELECT password FROM connection WHERE conn_id = 'target'").fetchall()
        return str(row[0])

    airflow("connections", "add", "target", "--conn-type", "http", "--conn-password", PASSWORD, key=old)
    before = stored()
    assert Fernet(old).decrypt(before) == PASSWORD.encode()
    airflow("rotate-fernet-key", key=f"{new},{old}")
    assert Fernet(new).decrypt(stored()) == PASSWORD.encode()
    assert PASSWORD in airflow("connections", "get", "target", "-o", "json", key=new)


def test_a_new_admin_password_is_set_unless_it_was_changed_meanwhile(api_server: ApiServer) -> None:
    api_server.start()
    former, api_server.password = api_server.password, secrets.token_hex(16)
    assert api_server.prepare() == "new password"
    assert api_server.log_in().status_code == requests.codes.created
    api_server.password, current = former, api_server.password
    assert api_server.log_in().status_code == requests.codes.unauthorized

    chosen = secrets.token_hex(16)
    api_server.run("-m", "airflow", "users", "reset-password", "--username", "admin", "--password", chosen)
    assert api_server.prepare().startswith("kept, since")
    for password, status_code in ((chosen, requests.codes.created), (current, requests.codes.unauthorized)):
        api_server.password = password
        assert api_server.log_in().status_code == status_code
