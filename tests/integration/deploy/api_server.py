"""An API server as on Kubernetes, with the chart's ``webserver_config.py`` and FAB's logins."""

from __future__ import annotations

import secrets
import subprocess
import sys
from pathlib import Path

import requests
import yaml

from devstack.environment import process_environment
from devstack.postgres import Postgres
from devstack.state import REPOSITORY, free_port
from tests.integration.process import Process

PREPARE = """
import sys
from pathlib import Path
from deploy.compose import seed
from deploy.compose.written import Written
seed.migrate()
print(seed.ensure_admin(sys.argv[1], Written(Path(sys.argv[2]))))
"""
VALUES = yaml.safe_load((REPOSITORY / "deploy/helm/values.yaml").read_text())["apiServer"]
API_KEY, JWT_SECRET, FERNET_KEY = (
    "AIRFLOW__API__SECRET_KEY",
    "AIRFLOW__API_AUTH__JWT_SECRET",
    "AIRFLOW__CORE__FERNET_KEY",
)
[SESSION_KEY] = (entry["name"] for entry in VALUES["env"] if "valueFrom" in entry)


class ApiServer(Process):
    """The server, with a database of its own, the password of its user admin, and keys that a restart can change."""

    def __init__(self, postgres: Postgres, folder: Path) -> None:
        postgres.create_database(database := f"api_{secrets.token_hex(4)}")
        port = free_port()
        self.password = secrets.token_hex(32)
        (folder / "webserver_config.py").write_text(VALUES["apiServerConfig"])
        environment = {
            "AIRFLOW_HOME": str(folder),
            "AIRFLOW_CONFIG": str(REPOSITORY / "airflow.cfg"),
            "AIRFLOW__CORE__AUTH_MANAGER": "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": postgres.uri(database, "postgresql+psycopg2"),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(folder / "logs"),
            "AIRFLOW__METRICS__STATSD_ON": "False",
        } | {name: secrets.token_hex(64) for name in (API_KEY, JWT_SECRET, SESSION_KEY)}
        command = ["airflow", "api-server", "--host", "127.0.0.1", "--port", str(port)]
        super().__init__(
            command, environment["AIRFLOW__API__BASE_URL"], folder / "log", environment, "/api/v2/monitor/health"
        )
        self._written = str(folder / "written.json")
        self.prepare()

    def prepare(self) -> str:
        """Migrate the database, and set the password of admin as the Compose stack does; return what was done."""
        return self.run("-c", PREPARE, self.password, self._written).splitlines()[-1]

    def run(self, *command: str, **environment: str) -> str:
        """Run Python with the server's environment and the changes to it; return its output."""
        process = subprocess.run(
            [sys.executable, *command],
            cwd=REPOSITORY,
            env=process_environment() | self.environment | environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert process.returncode == 0, process.stdout + process.stderr
        return process.stdout

    def log_in(self) -> requests.Response:
        """Ask for a token."""
        login = {"username": "admin", "password": self.password}
        return requests.post(f"{self.url}/auth/token", json=login, timeout=60)
