"""A stack of its own, with a canary in each connection and key, and servers and files that nobody may reach."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3
import pytest

from devstack.api import Airflow
from devstack.environment import Upstream, local_url
from devstack.stack import Stack
from devstack.state import REPOSITORY, State
from include.core.settings import PRIVATE_NETWORKS, SOURCE_FOLDERS
from tests.integration.conftest import folder_in_memory
from tests.integration.hostile.canaries import Canaries
from tests.integration.hostile.inputs.urls import NOT_PUBLIC
from tests.integration.hostile.servers import Hostile, Server, internal, running
from tests.integration.runs.conftest import server

HERE = Path(__file__).parent
DAGS = ("alerts_drain", "large_data_handoff", "process_source_data", "titanic_ml_pipeline", "weather_data_pipeline")
SERVICES = ("postgres", "airflow", "sinks", "s3", "model_server")
CANARY = "cnry+{}/7f3a9e="
BUCKET = "private"
MAY_HOLD_SECRETS = ("postgres", "secrets.json", "passwords.json", "mlflow-reader", "warehouse.uri")
"""Files of the stack that its secrets are kept in."""
INPUTS = "storage/inbox"


@dataclass(frozen=True)
class Target:
    """The stack and what surrounds it.

    Attributes:
        stack: the stack.
        airflow: its API, as the administrator.
        hostile: the upstream.
        internal: the server that nobody may call.
        private: a file that no input may read.
        connections: file with the addresses that Airflow's processes connected to.
        canaries: what must appear nowhere.
    """

    stack: Stack
    airflow: Airflow
    hostile: Server
    internal: Server
    private: Path
    connections: Path
    canaries: Canaries

    def filled(self, text: str) -> str:
        """Return a URL with the addresses of the canaries."""
        places = {"file": str(self.private), "port": self.internal.server_port, "bucket": BUCKET}
        return text.format(**places, inbox=self.stack.state.root / INPUTS)

    @property
    def storage(self) -> Path:
        """Root of object storage."""
        return self.stack.state.root / "storage"

    def leaks(self) -> list[str]:
        """Return each canary that is in a file or a database of the stack, and where."""
        root, skipped = self.stack.state.root, (*MAY_HOLD_SECRETS, INPUTS)
        files = (
            path
            for path in root.rglob("*")
            if path.is_file() and not any(path.is_relative_to(root / name) for name in skipped)
        )
        database = server(self.stack)
        databases = (self.canaries.in_database(database.uri(name)) for name in ("airflow", "warehouse"))
        return [*self.canaries.in_files(files), *(leak for leaks in databases for leak in leaks)]

    def addresses(self) -> set[str]:
        """Return the addresses that Airflow's processes connected to, other than the stack's and the upstream."""
        own = [self.stack.state.port(name) for name in (*SERVICES, "api", "smtp", "slack") if name != "airflow"]
        allowed = {repr(("127.0.0.1", port)) for port in (*own, self.hostile.server_port)}
        return set(self.connections.read_text().splitlines()) - allowed


@pytest.fixture(scope="package")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    outside = tmp_path_factory.mktemp("outside")
    contents = {name: CANARY.format(f"content of the {name}") for name in ("file", "internal server", "bucket")}
    private = outside / "list.csv"
    private.write_text(_list(contents["file"]))
    with (
        folder_in_memory(tmp_path_factory) as root,
        running(Hostile) as hostile,
        running(internal(_list(contents["internal server"]).encode())) as reached,
    ):
        hostile.internal = reached.url
        stack, secrets = _stack(root, tmp_path_factory.mktemp("dags"), hostile, reached, outside / "connections")
        try:
            stack.ensure([name for name in SERVICES if name in stack.services])
            _fill_bucket(stack, contents["bucket"])
            airflow = Airflow.of(stack.state)
            own = json.loads((stack.state.root / "secrets.json").read_text())
            token = str(airflow._session.headers["Authorization"]).removeprefix("Bearer ")
            canaries = Canaries(own | secrets | contents | {"token": token})
            yield Target(stack, airflow, hostile, reached, private, outside / "connections", canaries)
        finally:
            stack.stop()
            server(stack).remove()


def _stack(root: Path, dags: Path, hostile: Server, reached: Server, connections: Path) -> tuple[Stack, dict[str, str]]:
    """Return the stack, which isn't running yet, and the secrets in its environment."""
    for name in DAGS:
        if (file := REPOSITORY / "dags" / f"{name}.py").exists():
            shutil.copy(file, dags)
    stack = Stack(State.open(root), Upstream.REPLAY, durable=False)
    stack.state.port("api")  # not the preferred one, which others may use
    names = ("sources_default", "hostile_default", "canary_default", "extra", "variable")
    secrets = {name: CANARY.format(name) for name in names}
    conn: dict[str, dict[str, Any]] = {
        "sources_default": {"host": hostile.url},
        "hostile_default": {"host": hostile.url},
        "canary_default": {"host": reached.url, "login": "canary", "extra": {"secret": secrets["extra"]}},
    }
    overrides = {
        f"AIRFLOW_CONN_{name.upper()}": json.dumps({"conn_type": "http", "password": secrets[name]} | fields)
        for name, fields in conn.items()
    } | {
        "AIRFLOW_VAR_CANARY": secrets["variable"],
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__DEFAULT_TASK_RETRIES": "0",
        PRIVATE_NETWORKS.name: "127.0.0.1",
        SOURCE_FOLDERS.name: ",".join(url.format(port=reached.server_port) for url in NOT_PUBLIC),
        "CONNECTIONS_LOG": str(connections),
        "PYTHONPATH": ":".join(map(str, (HERE / "recorder", REPOSITORY, REPOSITORY / "plugins"))),
    }
    return replace(stack, overrides=overrides), secrets


def _fill_bucket(stack: Stack, content: str) -> None:
    keys = {"aws_access_key_id": "spellbook", "aws_secret_access_key": stack.state.secret("s3")}
    client = boto3.client("s3", endpoint_url=local_url(stack.state, "s3"), region_name="us-east-1", **keys)
    client.create_bucket(Bucket=BUCKET)
    client.put_object(Bucket=BUCKET, Key="list.csv", Body=_list(content))


def _list(canary: str) -> str:
    """Return a list of passengers whose columns, values and lines contain a canary."""
    return f"PassengerId,Survived,{canary}\n{canary},{canary},{canary}\n{canary}\n"
