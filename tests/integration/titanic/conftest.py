"""A model server and a warehouse, as real processes; each test has its own registered model."""

from __future__ import annotations

import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import uvicorn
from upath import UPath

from devstack.postgres import Postgres
from devstack.state import REPOSITORY, free_port
from include.core.ml import candidate as candidates
from include.core.ml import pipeline, verdicts
from include.core.ml.evaluation import Folds
from include.core.ml.registry import Registry
from include.core.ml.serving.app import create_app
from include.core.ml.serving.challenger import Challenger, Challengers
from include.core.ml.serving.champions import Champions
from include.core.ml.serving.client import ModelServer
from include.core.ml.serving.follower import Follower
from include.core.ml.serving.several import several
from include.core.ml.serving.spool import Spool
from include.core.ml.tracking_server import READER
from include.core.ml.verdicts import Verdict
from include.domains.titanic.passengers import PASSENGER_LIST
from include.domains.titanic.spec import TITANIC
from tests.integration.conftest import Mlflow
from tests.integration.process import Process
from tests.integration.titanic.estimators import TRUSTED

LIST = REPOSITORY / "include/data/titanic/train.csv"
QUICK = ["logistic_regression"]
FOLDS = Folds(repeats=1)
VERDICT = "verdict.json"
PATIENCE = 300.0  # seconds


@dataclass(frozen=True)
class Trained:
    """A candidate that was trained and accepted once.

    Attributes:
        folder: object storage with its files, which tests copy.
        scores: the rows of ``model_scores``, so that tests needn't cross-validate again.
    """

    folder: Path
    scores: list[tuple[str, bytes]]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, template: str, mlflow: Mlflow) -> Trained:
    """A trained and accepted candidate."""
    folder = tmp_path_factory.mktemp("trained")
    name = f"warehouse_{secrets.token_hex(6)}"
    postgres.create_database(name, template)
    uri = postgres.uri(name)
    passengers = UPath(prepare(LIST.read_bytes(), str(LIST), folder, "run"))
    candidate = UPath(pipeline.train(TITANIC, passengers, FOLDS, QUICK, uri))
    registry = Registry(mlflow.server, f"titanic-{secrets.token_hex(4)}", lambda: uri)
    verdict = pipeline.evaluate(TITANIC, passengers, candidate, registry, FOLDS)
    assert verdict.accepted, verdict.refusals
    (candidate.parent / VERDICT).write_text(verdict.model_dump_json())
    with psycopg.connect(uri) as connection:
        scores = connection.execute("SELECT key, probabilities FROM model_scores").fetchall()
    return Trained(folder, scores)


@pytest.fixture
def candidate(trained: Trained, tmp_path: Path) -> UPath:
    """A trained candidate for this test only."""
    shutil.copytree(trained.folder, tmp_path, dirs_exist_ok=True)
    return UPath(tmp_path / "titanic" / "run" / "candidate" / candidates.CANDIDATE)


@pytest.fixture
def registry(mlflow: Mlflow, warehouse: str, trained: Trained) -> Registry:
    """A registered model for this test only."""
    with psycopg.connect(warehouse) as connection, connection.cursor() as cursor:
        cursor.executemany("INSERT INTO model_scores (key, probabilities) VALUES (%s, %s)", trained.scores)
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
def serve_process(mlflow: Mlflow, warehouse: str, tmp_path: Path) -> Iterator[Callable[..., Serving]]:
    """Start a model server for a registered model, as in production."""
    started: list[Process] = []

    def start(model: str, spec: str = "include.domains.titanic.spec:TITANIC") -> Serving:
        port, file = free_port(), tmp_path / "warehouse.uri"
        file.write_text(warehouse)
        reader = mlflow.log_in(READER)
        password = tmp_path / "reader-password"
        password.write_text(reader.password)
        command = [
            "include.core.ml.serving",
            spec,
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
        challengers = Challengers(mlflow.server, model, file.read_text, TITANIC.dtypes)
        challenger = Challenger(
            Follower(challengers, (*TITANIC.trusted_types, *TRUSTED), interval=0.2),
            Spool(tmp_path / f"{model}-challenger.sqlite", file.read_text),
        )
        app = create_app(TITANIC, model, follower, Spool(tmp_path / f"{model}.sqlite", file.read_text), challenger)
        served = several({TITANIC.path: app})
        server = uvicorn.Server(uvicorn.Config(served, host="127.0.0.1", port=port, log_level="error"))
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


@pytest.fixture
def serving(candidate: UPath, registry: Registry, serve: Callable[..., Serving]) -> Serving:
    """A model server whose champion is the candidate."""
    model_server = serve(registry.name)
    accept(candidate, registry)
    deploy(candidate, registry, model_server)
    return model_server


def prepare(content: bytes, source: str, folder: Path, run: str) -> str:
    """Store a passenger list for a run; return its URL."""
    return PASSENGER_LIST.prepare(content, source, UPath(folder) / "titanic" / run / "passengers.parquet")


def evaluate(candidate: UPath, registry: Registry, **options: bool) -> Verdict:
    """Judge a candidate."""
    passengers = candidate.parent.parent / "passengers.parquet"
    return pipeline.evaluate(TITANIC, passengers, candidate, registry, FOLDS, **options)


def accept(candidate: UPath, registry: Registry) -> None:
    """Record that the gates have accepted a copy of :func:`trained`'s candidate, as they had that one."""
    verdict = Verdict.model_validate_json((candidate.parent / VERDICT).read_bytes())
    opponents = {"champion": registry.champion(), "pinned": registry.pinned()}
    numbers = {role: version.number if version else None for role, version in opponents.items()}
    changes = numbers | {"candidate": candidates.read(candidate).name}
    verdicts.record(registry.warehouse(), registry.name, verdict.model_copy(update=changes))


def evaluation_of(candidate: UPath) -> candidates.Evaluation:
    """Return what the gates measured of a candidate."""
    return candidates.Evaluation.model_validate_json((candidate.parent / candidates.EVALUATION).read_bytes())


def files_of(candidate: UPath) -> dict[str, str]:
    """Return the checksums of an accepted candidate's files."""
    return Verdict.model_validate_json((candidate.parent / VERDICT).read_bytes()).files


def deploy(candidate: UPath, registry: Registry, serving: Serving) -> int:
    """Deploy, however long a busy machine takes until the version serves."""
    return pipeline.deploy(TITANIC, candidate, registry, serving.server, patience=PATIENCE, keep=20)


def copy_as(candidate: UPath, name: str, registry: Registry) -> UPath:
    """A copy of the candidate, as another training run would write it, accepted like it."""
    origin = Path(str(candidate.parent))
    folder = origin.with_name(name)
    shutil.copytree(origin, folder)
    copy = UPath(folder / candidates.CANDIDATE)
    copy.write_text(candidates.read(candidate).model_copy(update={"name": name}).model_dump_json())
    accept(copy, registry)
    return copy
