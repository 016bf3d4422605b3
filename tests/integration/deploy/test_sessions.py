"""What signs a login on Kubernetes: an API server with the chart's ``webserver_config.py``."""

from __future__ import annotations

import secrets
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import yaml

from devstack.environment import process_environment
from devstack.postgres import Postgres
from devstack.state import REPOSITORY, free_port
from devstack.waiting import wait_for
from tests import forgery

PREPARE = """
import sys
from pathlib import Path
from deploy.compose import seed
from deploy.compose.written import Written
seed.migrate()
seed.ensure_admin(sys.argv[1], Written(Path(sys.argv[2])))
"""


@dataclass(frozen=True)
class ApiServer:
    """A running API server, with the password of the user admin and its two keys."""

    url: str
    password: str
    session_key: str
    api_key: str


@pytest.fixture(scope="module")
def api_server(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    folder, port = tmp_path_factory.mktemp("api-server"), free_port()
    postgres.create_database("sessions")
    server = ApiServer(f"http://127.0.0.1:{port}", *(secrets.token_hex(32) for _ in range(3)))
    values = yaml.safe_load((REPOSITORY / "deploy/helm/values.yaml").read_text())["apiServer"]
    [name] = (entry["name"] for entry in values["env"] if "valueFrom" in entry)
    (folder / "webserver_config.py").write_text(values["apiServerConfig"])
    environment = process_environment() | {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW_CONFIG": str(REPOSITORY / "airflow.cfg"),
        "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri("sessions", "postgresql+psycopg2"),
        "AIRFLOW__API__SECRET_KEY": server.api_key,
        "AIRFLOW__API__BASE_URL": server.url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
        "AIRFLOW__METRICS__STATSD_ON": "False",
    }
    prepare = [sys.executable, "-c", PREPARE, server.password, str(folder / "written.json")]
    prepared = subprocess.run(prepare, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert prepared.returncode == 0, prepared.stdout + prepared.stderr
    log = folder / "api-server.log"
    command = [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=REPOSITORY, env=environment | {name: server.session_key}, stdout=output, stderr=output
        )
    try:
        wait_for(lambda: is_up(server.url, process, log), "the API server", progress=lambda: log.stat().st_size)
        yield server
    finally:
        process.terminate()
        process.wait(60)


def is_up(url: str, process: subprocess.Popen[bytes], log: Path) -> bool:
    assert process.poll() is None, log.read_text()
    try:
        return requests.get(f"{url}/api/v2/monitor/health", timeout=10).ok
    except requests.ConnectionError:
        return False


def test_a_login_signed_with_the_key_of_every_pod_is_refused(api_server: ApiServer) -> None:
    assert not forgery.is_admin(api_server.url, api_server.api_key)


def test_a_login_signed_with_the_api_servers_own_key_is_accepted(api_server: ApiServer) -> None:
    assert forgery.is_admin(api_server.url, api_server.session_key)


def test_the_password_is_accepted(api_server: ApiServer) -> None:
    login = {"username": "admin", "password": api_server.password}
    assert requests.post(f"{api_server.url}/auth/token", json=login, timeout=60).status_code == requests.codes.created
