"""The services of the embedded stack: how each is started, and when it is ready."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from importlib import import_module
from pathlib import Path

import requests

from devstack import airflow_daemons, environment
from devstack.environment import digest, get_local, local_url, process_environment
from devstack.kubeconfig import BEARER_VARIABLE
from devstack.postgres import Postgres
from devstack.process import Record, spawn
from devstack.state import REPOSITORY, State
from devstack.waiting import Activity
from devstack.webhook import TOKEN_VARIABLE
from include import domains
from include.core.collect import module_names
from include.core.ml import tracking_server
from include.core.settings import POSTGRES


@dataclass(frozen=True)
class Service:
    """One server of the stack.

    Attributes:
        ports: names of its ports in the state; a port taken by another program is replaced before the start.
        start: starts it and returns its process id.
        missing: takes the record of its start; returns the names of its processes that aren't ready yet.
        log: file with its output.
        fingerprint: digest of its configuration; a running service with another fingerprint is restarted.
        needs: services that it depends on; it is restarted when one of them was.
        overlaps: whether it may start before they are ready, because it waits for them itself.
        activity: by name that ``missing`` can return, where these have their own processes.
    """

    name: str
    ports: tuple[str, ...]
    start: Callable[[], int]
    missing: Callable[[Record], Sequence[str]]
    log: Path
    fingerprint: str = ""
    needs: tuple[str, ...] = ()
    overlaps: bool = False
    activity: Mapping[str, Activity] = field(default_factory=dict)


def declare(state: State, airflow: Mapping[str, str], *, durable: bool = True) -> dict[str, Service]:
    """Return every service by name, in the order for display.

    ``airflow`` is the environment of Airflow's processes; databases that are not ``durable`` are for tests.
    """
    database = Postgres.of(state, durable=durable)
    warehouse = environment.connection_uri(airflow[POSTGRES.variable])

    def command(name: str, *arguments: str, extra: Mapping[str, str] | None = None) -> Callable[[], int]:
        values = process_environment() | dict(extra or {})
        return lambda: spawn([sys.executable, "-m", *arguments], state.logs / f"{name}.log", values, REPOSITORY)

    def http(port: str, path: str) -> Callable[[Record], Sequence[str]]:
        return lambda _: () if _is_responding(f"{local_url(state, port)}{path}") else (port,)

    def start_mlflow() -> int:
        database.create_database("mlflow")
        return command(
            "mlflow",
            "include.core.ml.tracking_server",
            "--auth-config",
            str(state.root / "mlflow.ini"),
            "--host",
            "127.0.0.1",
            "--port",
            str(state.port("mlflow")),
            "--artifacts-destination",
            str(state.root / "mlflow"),
            extra={
                tracking_server.DATABASE: database.uri("mlflow", "postgresql+psycopg2"),
                **{variable: state.secret(f"mlflow-{user}") for user, variable in tracking_server.PASSWORDS.items()},
            },
        )()

    def start_model_server() -> int:
        file_of_uri, password = state.root / "warehouse.uri", state.root / "mlflow-reader"
        for file, text in ((file_of_uri, warehouse), (password, state.secret("mlflow-reader"))):
            file.touch(mode=0o600)
            file.write_text(text)
        return command(
            "model_server",
            "include.core.ml.serving",
            "include.models:SPECS",
            "--mlflow-uri",
            local_url(state, "mlflow"),
            "--mlflow-login",
            tracking_server.READER,
            "--mlflow-password-file",
            str(password),
            "--warehouse-file",
            str(file_of_uri),
            "--spool",
            str(state.root / "spool.sqlite"),
            "--port",
            str(state.port("model_server")),
        )()

    services: tuple[Service, ...] = (
        Service(
            "postgres",
            ("postgres",),
            database.start,
            lambda _: () if _is_listening(state.port("postgres")) else ("postgres",),
            database.log,
        ),
        Service(
            "airflow",
            ("api",),
            command("airflow", "devstack.airflow_daemons", extra=airflow),
            lambda record: _missing_components(local_url(state, "api"), record),
            state.logs / "airflow.log",
            fingerprint=environment.fingerprint(airflow),
            needs=("postgres",),
            overlaps=True,
            activity={
                name: Activity(
                    [state.services / "airflow.json", airflow_daemons.record_of(state, name)],
                    [airflow_daemons.log_of(state, name)],
                )
                for name in airflow_daemons.NAMES
            },
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
            lambda _: (
                ()
                if _is_listening(state.port("smtp")) and _is_responding(f"{local_url(state, 'slack')}/health")
                else ("sinks",)
            ),
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
        Service(
            "mlflow",
            ("mlflow",),
            start_mlflow,
            http("mlflow", "/health"),
            state.logs / "mlflow.log",
            needs=("postgres",),
        ),
    )
    if models := list(module_names(domains, "spec")):
        services += (
            Service(
                "model_server",
                ("model_server",),
                start_model_server,
                http("model_server", "/health"),
                state.logs / "model_server.log",
                fingerprint=json.dumps(
                    {name: _code(name) for name in models} | {"warehouse": digest(warehouse.encode())}
                ),
                needs=("postgres",),
            ),
        )
    return {service.name: service for service in services}


def _code(module: str) -> str:
    """Return a digest of the code of a module's package, which the model server has loaded."""
    folder = Path(import_module(module.rpartition(".")[0]).__path__[0])
    return digest(b"".join(path.read_bytes() for path in sorted(folder.glob("*.py"))))


def _is_listening(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _is_responding(url: str) -> bool:
    try:
        return get_local(url, timeout=2).ok
    except requests.RequestException:
        return False


def _missing_components(api: str, record: Record) -> Sequence[str]:
    """Return the components that aren't ready yet; a heartbeat of an earlier process doesn't count.

    The health endpoint always returns 200, even for an unhealthy component.
    """
    try:
        health = get_local(f"{api}/api/v2/monitor/health", timeout=5).json()
    except (requests.RequestException, ValueError):
        return airflow_daemons.NAMES
    if health["metadatabase"]["status"] != "healthy":
        return airflow_daemons.NAMES

    def is_healthy(component: str) -> bool:
        name = component.replace("-", "_")
        heartbeat = health[name][f"latest_{name}_heartbeat"]
        is_fresh = heartbeat is not None and datetime.fromisoformat(heartbeat).timestamp() > record.created
        return is_fresh and health[name]["status"] == "healthy"

    return [component for component in ("scheduler", "dag-processor", "triggerer") if not is_healthy(component)]
