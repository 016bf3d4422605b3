"""Authentication and permissions."""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest
import requests

from devstack.api import Airflow, RefusedError
from tests import forgery
from tests.e2e.compose.stack import Compose

OPEN = {"/api/v2/monitor/health", "/api/v2/version", "/api/v2/auth/login", "/api/v2/auth/logout"}
REFUSED = (requests.codes.unauthorized, requests.codes.forbidden)


def token_status(compose: Compose, user: str, password: str) -> int:
    response = requests.post(f"{compose.url}/auth/token", json={"username": user, "password": password}, timeout=120)
    return response.status_code


@pytest.fixture(scope="module")
def users(compose: Compose) -> dict[str, Airflow]:
    """One user of each role, logged in."""
    users_by_role = {}
    for role in ("Op", "User", "Viewer"):
        password = secrets.token_hex(16)
        compose.run(
            "run", "--rm", "--no-TTY", "cli", "airflow", "users", "create", "--role", role, "--username", role.lower(),
            "--firstname", role, "--lastname", "Test", "--email", f"{role}@example.com", "--password", password,
        )  # fmt: skip
        users_by_role[role] = Airflow(compose.url, role.lower(), password)
    return users_by_role


def test_the_printed_password_is_accepted_and_generated(compose: Compose) -> None:
    assert len(compose.password) == 32
    assert token_status(compose, "admin", compose.password) == requests.codes.created


@pytest.mark.parametrize(("user", "password"), [("airflow", "airflow"), ("admin", "admin"), ("admin", "airflow")])
def test_well_known_logins_are_refused(compose: Compose, user: str, password: str) -> None:
    assert token_status(compose, user, password) == requests.codes.unauthorized


@pytest.mark.parametrize("worker", ["airflow-worker", "airflow-worker-finance"])
def test_a_login_signed_with_a_secret_of_a_worker_is_refused(compose: Compose, worker: str) -> None:
    files = compose.inside(worker, "sh", "-c", "cat /run/secrets/*/*; airflow config get-value api secret_key")
    keys = {line for line in files.splitlines() if line} | {
        secret for secret in compose.secrets.values() if secret in files
    }
    assert len(keys) > 4
    assert [key for key in keys if forgery.is_admin(compose.url, key)] == []


def test_a_login_signed_with_the_api_servers_key_would_be_accepted(compose: Compose) -> None:
    assert forgery.is_admin(compose.url, compose.secrets["api-secret-key"])


def test_without_a_login_only_health_version_and_login_are_allowed(compose: Compose) -> None:
    paths = requests.get(f"{compose.url}/openapi.json", timeout=120).json()["paths"]
    assert len(paths) > 80
    accepted = []
    for path, methods in paths.items():
        for method in methods:
            url = compose.url + path.replace("{", "").replace("}", "")
            response = requests.request(method, url, json={}, timeout=120, allow_redirects=False)
            if response.status_code not in REFUSED:
                accepted.append((method, path, response.status_code))
    assert {path for _, path, _ in accepted} == OPEN


def test_a_viewer_reads_dags_but_starts_none(users: dict[str, Airflow]) -> None:
    viewer = users["Viewer"]
    assert "weather_data_pipeline" in viewer.dag_ids()
    attempts: tuple[Callable[[], object], ...] = (
        lambda: viewer.post("/dags/my_first_spell/dagRuns", {"logical_date": None}),
        lambda: viewer.patch("/dags/my_first_spell", {"is_paused": False}),
        lambda: viewer.get("/connections"),
        lambda: viewer.get("/variables"),
    )
    for attempt in attempts:
        with pytest.raises(RefusedError) as refusal:
            attempt()
        assert refusal.value.status == requests.codes.forbidden


def test_a_user_starts_dags_but_reads_no_connection(users: dict[str, Airflow]) -> None:
    user = users["User"]
    assert user.post("/dags/my_first_spell/dagRuns", {"logical_date": None})["dag_id"] == "my_first_spell"
    with pytest.raises(RefusedError) as refusal:
        user.get("/connections")
    assert refusal.value.status == requests.codes.forbidden


def test_an_operator_reads_pools_and_connections(users: dict[str, Airflow]) -> None:
    operator = users["Op"]
    assert operator.get("/pools")["total_entries"] > 0
    stored = operator.get("/connections/postgres_default")
    assert stored["password"] == "***"
