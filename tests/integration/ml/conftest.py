"""MLflow, a model server and a warehouse, as real processes; each test has a registered model of its own."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import uvicorn
from upath import UPath

from devstack.environment import process_environment
from devstack.state import REPOSITORY, free_port
from include.ml.evaluation import Folds
from include.ml.registry import Registry
from include.serving.app import create_app
from include.serving.client import ModelServer
from include.serving.follower import Follower
from include.serving.spool import Spool
from include.titanic import pipeline
from include.titanic.gates import Thresholds
from include.titanic.models import TRUSTED_TYPES

LIST = REPOSITORY / "include/data/titanic/train.csv"
QUICK = ["logistic_regression"]
FOLDS = Folds(repeats=1)


@dataclass
class Process:
    """A server that can be stopped and started again on the same port."""

    command: list[str]
    url: str
    log: Path
    running: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(
                [sys.executable, "-m", *self.command],
                cwd=REPOSITORY,
                env=process_environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while True:
            try:
                requests.get(f"{self.url}/health", timeout=2).raise_for_status()
            except requests.RequestException:
                assert self.running.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()
                time.sleep(0.2)
            else:
                return

    def stop(self) -> None:
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        assert self.running
        os.killpg(self.running.pid, how)
        self.running.wait(20)


@pytest.fixture(scope="session")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """An MLflow server with a database of its own."""
    folder, port = tmp_path_factory.mktemp("mlflow"), free_port()
    command = ["mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
    command += ["--artifacts-destination", str(folder / "artifacts"), "--serve-artifacts"]
    server = Process(command, f"http://127.0.0.1:{port}", folder / "log")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of object storage with one trained candidate, which tests copy."""
    folder = tmp_path_factory.mktemp("trained")
    passengers = pipeline.prepare(UPath(LIST), UPath(folder), "run")
    pipeline.train(UPath(passengers), FOLDS, QUICK)
    return folder


@pytest.fixture
def candidate(trained: Path, tmp_path: Path) -> UPath:
    """A trained candidate that no other test has."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return UPath(tmp_path / "titanic" / "run" / "candidate" / "evaluation.json")


@pytest.fixture
def registry(mlflow: Process) -> Registry:
    """A registered model that no other test has."""
    return Registry(mlflow.url, f"titanic-{secrets.token_hex(4)}")


@dataclass
class Serving:
    """A model server and what it writes to."""

    start: Callable[[], None]
    stop: Callable[[], None]
    kill: Callable[[], None]
    warehouse: str
    warehouse_file: Path
    server: ModelServer


@pytest.fixture
def serve_process(mlflow: Process, warehouse: str, tmp_path: Path) -> Iterator[Callable[[str], Serving]]:
    """Start a model server as it is started in production, for a registered model."""
    started: list[Process] = []

    def start(model: str) -> Serving:
        port, file = free_port(), tmp_path / "warehouse.uri"
        file.write_text(warehouse)
        command = ["include.serving", "--mlflow-uri", mlflow.url, "--model", model, "--warehouse-file", str(file)]
        command += ["--spool", str(tmp_path / "spool.sqlite"), "--port", str(port)]
        process = Process(command, f"http://127.0.0.1:{port}", tmp_path / "server.log")
        process.start()
        started.append(process)
        return Serving(process.start, process.stop, process.kill, warehouse, file, ModelServer(process.url))

    yield start
    for process in started:
        process.kill()


@pytest.fixture
def serve(mlflow: Process, warehouse: str, tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Start a model server in a thread, which takes less time than a process, for a registered model."""
    stops: list[Callable[[], None]] = []

    def start(model: str, follow: type[Follower] = Follower) -> Serving:
        port, file = free_port(), tmp_path / "warehouse.uri"
        file.write_text(warehouse)
        follower = follow(Registry(mlflow.url, model), TRUSTED_TYPES, interval=0.2)
        app = create_app(model, follower, Spool(tmp_path / f"{model}.sqlite", file.read_text))
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, log_level="error"))
        thread = threading.Thread(target=server.run)
        thread.start()

        def stop() -> None:
            server.should_exit = True
            thread.join(20)

        stops.append(stop)
        while not server.started:
            time.sleep(0.02)
        return Serving(thread.start, stop, stop, warehouse, file, ModelServer(f"http://127.0.0.1:{port}"))

    yield start
    for stop in stops:
        stop()


def accepted(candidate: UPath, registry: Registry) -> None:
    """Judge a candidate that is to pass."""
    verdict = pipeline.evaluate(candidate, registry, Thresholds())
    assert verdict.accepted, verdict.refusals


def deploy(candidate: UPath, registry: Registry, serving: Serving) -> int:
    """Deploy with little patience."""
    return pipeline.deploy(candidate, registry, serving.server, patience=20, keep=20)
