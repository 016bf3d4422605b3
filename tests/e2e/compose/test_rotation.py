"""A drill: every secret but Grafana's gets a new value by the steps of docs/secrets.md; old ones are refused then."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
import requests
from cryptography.fernet import Fernet, InvalidToken

from deploy.compose.databases import SERVERS
from deploy.compose.secrets import SECRETS
from devstack.api import Airflow, RefusedError
from tests import forgery
from tests.e2e.compose.stack import Compose, finish, trigger
from tests.e2e.compose.test_access import token_status
from tests.e2e.compose.test_dags import day

pytestmark = pytest.mark.weekly

FERNET, GRAFANA, WEBHOOK = "fernet-key", "grafana-password", "slack-webhook"
STORED = "SELECT password FROM connection WHERE conn_id = 'postgres_default'"

Accepts = Callable[[str], bool]


def logins(compose: Compose) -> dict[str, Accepts]:
    """Return, by secret, whether its server accepts a value."""

    def http(service: str, port: int, path: str, user: str) -> Accepts:
        url, names = compose.address(service, port) + path, {"Host": f"{service}:{port}"}
        return lambda value: requests.get(url, auth=(user, value), headers=names, timeout=60).ok

    def broker(value: str) -> bool:
        try:
            return bool(redis.Redis(host=host(compose, "redis"), password=value).ping())
        except redis.AuthenticationError:
            return False

    experiments = "/api/2.0/mlflow/experiments/search?max_results=1"
    return {
        "admin-password": lambda value: token_status(compose, "admin", value) == requests.codes.created,
        "api-secret-key": lambda value: forgery.is_admin(compose.url, value),
        "redis-password": broker,
        "flower-password": http("flower", 5555, "/workers", "admin"),
        "mlflow-pipeline-password": http("mlflow", 5000, experiments, "pipeline"),
        "mlflow-reader-password": http("mlflow", 5000, experiments, "reader"),
    } | {
        secret: role_login(
            host(compose, server.host), role, role if role in server.databases else next(iter(server.databases))
        )
        for server in SERVERS
        for role, secret in {**server.passwords, "postgres": server.superuser_secret}.items()
    }


def role_login(address: str, role: str, database: str) -> Accepts:
    def accepts(value: str) -> bool:
        try:
            psycopg.connect(host=address, user=role, password=value, dbname=database, connect_timeout=120).close()
        except psycopg.OperationalError as error:
            if "password authentication failed" not in str(error):
                raise
            return False
        return True

    return accepts


def host(compose: Compose, service: str) -> str:
    return str(urlsplit(compose.address(service, 0)).hostname)


def test_every_secret_is_rotated(compose: Compose, airflow: Airflow) -> None:
    compose.settings["COMPOSE_PROFILES"] = "demo,ml,flower"
    compose.up()
    old = compose.secrets
    new = {secret.name: secret.generate() for secret in SECRETS if secret.name != GRAFANA}
    new[WEBHOOK] = f"http://slack:8080/services/{secrets.token_hex(8)}"
    values = new | {FERNET: f"{new[FERNET]},{old[FERNET]}"}
    assert {name: accepts(old[name]) for name, accepts in logins(compose).items() if not accepts(old[name])} == {}

    for server in SERVERS:
        statement = f"ALTER ROLE postgres PASSWORD '{new[server.superuser_secret]}'"
        compose.query(server.host, "postgres", statement)
    compose.settings |= {secret.variable: values[secret.name] for secret in SECRETS if secret.name in values}
    compose.deploy("--force-recreate")
    compose.inside("airflow-scheduler", "airflow", "rotate-fernet-key")
    compose.settings["SPELLBOOK_FERNET_KEY"] = new[FERNET]
    compose.deploy("--force-recreate")

    for forgotten in ("secrets", "password"):
        vars(compose).pop(forgotten, None)
    assert compose.secrets == old | new
    accepted = {name: (accepts(old[name]), accepts(new[name])) for name, accepts in logins(compose).items()}
    assert accepted == dict.fromkeys(accepted, (False, True))
    with pytest.raises(RefusedError) as refused:
        airflow.get("/dags")  # with a token of the old signing key
    assert refused.value.status in {requests.codes.unauthorized, requests.codes.forbidden}
    ((stored,),) = compose.query("postgres", "airflow", STORED)
    with pytest.raises(InvalidToken):
        Fernet(old[FERNET]).decrypt(stored.encode())
    assert Fernet(new[FERNET]).decrypt(stored.encode()).decode() == new["loader-password"]
    assert compose.inside("alertmanager", "cat", "/run/secrets/slack-webhook/value") == new[WEBHOOK]
    after = compose.airflow()
    run_id = trigger(after, "weather_data_pipeline", **day("2024-06-08", "2024-06-09"))
    assert finish(after, "weather_data_pipeline", run_id) == "success"
