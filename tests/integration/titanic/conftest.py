"""A model server and a warehouse, as real processes; each test has its own registered model."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn
from upath import UPath

from devstack.state import REPOSITORY, free_port
from include.core.ml import candidate as candidates
from include.core.ml import pipeline
from include.core.ml.artifact import digest
from include.core.ml.evaluation import Folds
from include.core.ml.registry import Registry
from include.core.ml.serving.app import create_app
from include.core.ml.serving.champions import Champions
from include.core.ml.serving.client import ModelServer
from include.core.ml.serving.follower import Follower
from include.core.ml.serving.spool import Spool
from include.core.ml.tracking_server import READER
from include.domains.titanic.passengers import prepare
from include.domains.titanic.spec import TITANIC
from tests.integration.conftest import Mlflow
from tests.integration.process import Process

LIST = REPOSITORY / "include/data/titanic/train.csv"
QUICK = ["logistic_regression"]
FOLDS = Folds(repeats=1)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of object storage with one trained candidate, which tests copy."""
    folder = tmp_path_factory.mktemp("trained")
    passengers = prepare(LIST.read_bytes(), str(LIST), UPath(folder), "run")
    pipeline.train(TITANIC, UPath(passengers), FOLDS, QUICK)
    return folder


@pytest.fixture
def candidate(trained: Path, tmp_path: Path) -> UPath:
    """A trained candidate for this test only."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return UPath(tmp_path / "titanic" / "run" / "candidate" / "evaluation.json")


@pytest.fixture
def registry(mlflow: Mlflow, warehouse: str) -> Registry:
    """A registered model for this test only."""
    return Registry(mlflow.server, f"titanic-{secrets.token_hex(4)}", lambda: warehouse)


@dataclass
class Serving:
    """A model server and what it writes to."""

    start: Callable[[], None]
    stop: Callable[[], None]
    kill: Callable[[], None]
    warehouse: str
    warehouse_file: Path
    server: ModelServer
    process: Process | None = None


@pytest.fixture
def serve_process(mlflow: Mlflow, warehouse: str, tmp_path: Path) -> Iterator[Callable[[str], Serving]]:
    """Start a model server for a registered model, as in production."""
    started: list[Process] = []

    def start(model: str) -> Serving:
        port, file = free_port(), tmp_path / "warehouse.uri"
        file.write_text(warehouse)
        reader = mlflow.log_in(READER)
        password = tmp_path / "reader-password"
        password.write_text(reader.password)
        command = [
            "include.core.ml.serving",
            "include.domains.titanic.spec:TITANIC",
            "--mlflow-uri",
            reader.url,
            "--mlflow-login",
            reader.login,
            "--mlflow-password-file",
            str(password),
            "--model",
            model,
            "--warehouse-file",
            str(file),
        ]
        command += ["--spool", str(tmp_path / "spool.sqlite"), "--port", str(port)]
        process = Process(command, f"http://127.0.0.1:{port}", tmp_path / "server.log")
        process.start()
        started.append(process)
        return Serving(
            process.start,
            process.stop,
            process.kill,
            warehouse,
            file,
            ModelServer(process.url, TITANIC),
            process,
        )

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def serve(mlflow: Mlflow, warehouse: str, tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Start a model server for a registered model in a thread, which is faster than a process."""
    stops: list[Callable[[], None]] = []

    def start(model: str, follow: type[Follower] = Follower) -> Serving:
        port, file = free_port(), tmp_path / "warehouse.uri"
        file.write_text(warehouse)
        follower = follow(Champions(mlflow.server, model, file.read_text), TITANIC.trusted_types, interval=0.2)
        app = create_app(TITANIC, model, follower, Spool(tmp_path / f"{model}.sqlite", file.read_text))
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(20)

        stops.append(stop)
        while not server.started:
            time.sleep(0.02)
        return Serving(thread.start, stop, stop, warehouse, file, ModelServer(f"http://127.0.0.1:{port}", TITANIC))

    yield start
    for stop in stops:
        stop()


def accept(candidate: UPath, registry: Registry) -> None:
    """Evaluate a candidate that must be accepted."""
    verdict = pipeline.evaluate(TITANIC, candidate, registry)
    assert verdict.accepted, verdict.refusals


def files_of(candidate: UPath) -> dict[str, str]:
    """Return the checksums that are recorded of a candidate's files."""
    return candidates.read(candidate).files | {candidates.EVALUATION: digest(candidate.read_bytes())}


def deploy(candidate: UPath, registry: Registry, serving: Serving) -> int:
    """Deploy with a short time-out."""
    return pipeline.deploy(TITANIC, candidate, registry, serving.server, patience=20, keep=20)
