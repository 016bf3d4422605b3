"""The services of the embedded stack: how each is started, and how it is seen to be ready."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import requests

from devstack import environment
from devstack.environment import ask, local_url, process_environment
from devstack.kubeconfig import BEARER_VARIABLE
from devstack.postgres import Postgres
from devstack.process import Record, spawn
from devstack.sinks import TOKEN_VARIABLE
from devstack.state import REPOSITORY, State


@dataclass(frozen=True)
class Service:
    """One server of the stack.

    Attributes:
        ports: names of its ports in the state; a port that something else took is chosen anew before the start.
        start: starts it and returns its process id.
        ready: tells whether it answers; given the record of its start.
        patience: seconds within which it must become ready.
        fingerprint: what it is started with; a running one with another fingerprint is started again.
        log: where its output goes.
    """

    name: str
    ports: tuple[str, ...]
    start: Callable[[], int]
    ready: Callable[[Record], bool]
    log: Path
    patience: float = 30
    fingerprint: str = ""


def declare(state: State, airflow: Mapping[str, str], *, durable: bool = True) -> dict[str, Service]:
    """Return every service by name, in the order in which they are to be listed.

    ``airflow`` is the environment of Airflow's processes; databases that are not ``durable`` are for tests.
    """
    database = Postgres(state.root / "postgres", state.port("postgres"), state.secret("postgres"), durable=durable)

    def command(name: str, *arguments: str, extra: Mapping[str, str] | None = None) -> Callable[[], int]:
        values = process_environment() | dict(extra or {})
        return lambda: spawn([sys.executable, "-m", *arguments], state.logs / f"{name}.log", values, REPOSITORY)

    def http(port: str, path: str) -> Callable[[Record], bool]:
        return lambda _: _answers(f"{local_url(state, port)}{path}")

    def start_mlflow() -> int:
        database.create_database("mlflow")
        return command(
            "mlflow",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(state.port("mlflow")),
            "--workers",
            "1",
            "--artifacts-destination",
            str(state.root / "mlflow"),
            "--serve-artifacts",
            extra={
                "MLFLOW_BACKEND_STORE_URI": database.uri("mlflow", "postgresql+psycopg2"),
                "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # six more processes, for what no DAG uses
            },
        )()

    def start_model_server() -> int:
        warehouse = state.root / "warehouse.uri"
        warehouse.touch(mode=0o600)
        warehouse.write_text(database.uri("warehouse"))
        return command(
            "model_server",
            "include.serving",
            "--mlflow-uri",
            local_url(state, "mlflow"),
            "--warehouse-file",
            str(warehouse),
            "--spool",
            str(state.root / "spool.sqlite"),
            "--port",
            str(state.port("model_server")),
        )()

    services = (
        Service(
            "postgres",
            ("postgres",),
            database.start,
            lambda _: _listens(state.port("postgres")),
            database.log,
        ),
        Service(
            "airflow",
            ("api",),
            command("airflow", "devstack.airflow_daemons", extra=airflow),
            lambda record: _airflow_is_healthy(local_url(state, "api"), record),
            state.logs / "airflow.log",
            patience=180,
            fingerprint=environment.fingerprint(airflow),
        ),
        Service(
            "upstreams",
            ("upstreams",),
            command(
                "upstreams",
                "devstack.upstreams",
                "--port",
                str(state.port("upstreams")),
                "--s3",
                local_url(state, "s3"),
            ),
            http("upstreams", "/health"),
            state.logs / "upstreams.log",
        ),
        Service(
            "sinks",
            ("smtp", "slack"),
            command(
                "sinks",
                "devstack.sinks",
                "--directory",
                str(state.root / "alerts"),
                "--smtp-port",
                str(state.port("smtp")),
                "--slack-port",
                str(state.port("slack")),
                extra={TOKEN_VARIABLE: state.secret("slack")},
            ),
            lambda _: _listens(state.port("smtp")) and _answers(f"{local_url(state, 'slack')}/health"),
            state.logs / "sinks.log",
        ),
        Service(
            "s3",
            ("s3",),
            command("s3", "moto.server", "--host", "127.0.0.1", "--port", str(state.port("s3"))),
            http("s3", "/moto-api/"),
            state.logs / "s3.log",
        ),
        Service(
            "kubernetes_double",
            ("kubernetes_double",),
            command(
                "kubernetes_double",
                "devstack.kubernetes_double",
                "--port",
                str(state.port("kubernetes_double")),
                "--directory",
                str(state.root / "pods"),
                extra={BEARER_VARIABLE: state.secret("kubernetes_double")},
            ),
            http("kubernetes_double", "/healthz"),
            state.logs / "kubernetes_double.log",
        ),
        Service("mlflow", ("mlflow",), start_mlflow, http("mlflow", "/health"), state.logs / "mlflow.log", patience=90),
        Service(
            "model_server",
            ("model_server",),
            start_model_server,
            http("model_server", "/health"),
            state.logs / "model_server.log",
            patience=90,
        ),
    )
    return {service.name: service for service in services}


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _answers(url: str) -> bool:
    try:
        return ask(url, timeout=2).ok
    except requests.RequestException:
        return False


def _airflow_is_healthy(api: str, record: Record) -> bool:
    """Read the health page, which answers 200 whatever it says; a heartbeat of an earlier process doesn't count.

    The task API builds its versions when it is first asked, for seconds: asking here spares the first task that wait.
    """
    try:
        ask(f"{api}/execution/health", timeout=60)
        health = ask(f"{api}/api/v2/monitor/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return False
    if any(part["status"] != "healthy" for part in health.values()):
        return False
    beats = (
        health["scheduler"]["latest_scheduler_heartbeat"],
        health["dag_processor"]["latest_dag_processor_heartbeat"],
        health["triggerer"]["latest_triggerer_heartbeat"],
    )
    return all(datetime.fromisoformat(beat).timestamp() > record.created for beat in beats)
