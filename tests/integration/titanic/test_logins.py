"""Who may read and change the registry: an MLflow server with its two users."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import pytest
import requests
from upath import UPath

from include.core.ml import card
from include.core.ml.registry import CHAMPION, Registry, Version
from include.core.ml.tracking_server import PIPELINE, READER
from include.domains.titanic.spec import TITANIC
from tests.integration.conftest import Mlflow
from tests.integration.titanic.conftest import evaluation_of, files_of


@pytest.fixture
def version(candidate: UPath, registry: Registry) -> Version:
    """A version that is champion."""
    folder, record = Path(str(candidate.parent)), card.record(TITANIC, evaluation_of(candidate))
    return registry.promote(registry.publish("one", files_of(candidate), folder, record))


def artifact(run_id: str, mlflow: Mlflow) -> str:
    """The path of a run's model file under the server's artifacts."""
    root = mlflow.log.parent / "artifacts"
    [file] = root.rglob(f"{run_id}/artifacts/model/model.skops")
    return file.relative_to(root).as_posix()


def call(mlflow: Mlflow, method: str, path: str, body: dict[str, Any] | None, user: str | None) -> int:
    """Send a request as ``user`` or without a login; return the status."""
    login = (user, mlflow.log_in(user).password) if user else None
    url = f"{mlflow.url}/api/2.0/{path}"
    return requests.request(method, url, json=body, auth=login, timeout=60).status_code


@pytest.mark.parametrize("user", [None, READER, PIPELINE])
def test_only_the_pipeline_may_change_anything_and_only_users_may_read(
    mlflow: Mlflow, registry: Registry, version: Version, user: str | None
) -> None:
    number, file = str(version.number), f"mlflow-artifacts/artifacts/{artifact(version.run_id, mlflow)}"
    alias = {"name": registry.name, "alias": CHAMPION, "version": number}
    new = {"name": registry.name, "source": f"runs:/{version.run_id}/model", "run_id": version.run_id}
    reads = [
        call(mlflow, "GET", f"mlflow/registered-models/alias?name={registry.name}&alias={CHAMPION}", None, user),
        call(mlflow, "GET", f"mlflow/model-versions/get?name={registry.name}&version={number}", None, user),
        call(mlflow, "GET", f"mlflow/runs/get?run_id={version.run_id}", None, user),
        call(mlflow, "GET", file, None, user),
    ]
    tag = {"name": registry.name, "version": number, "key": "sha256", "value": "0" * 64}
    changes = [
        call(mlflow, "POST", "mlflow/registered-models/alias", alias, user),
        call(mlflow, "POST", "mlflow/model-versions/set-tag", tag, user),
        call(mlflow, "POST", "mlflow/model-versions/create", new, user),
        call(mlflow, "POST", "mlflow/runs/set-tag", {"run_id": version.run_id, "key": "a", "value": "b"}, user),
        call(mlflow, "PUT", file, None, user),
        call(mlflow, "POST", "mlflow/users/create", {"username": f"m-{user}", "password": secrets.token_hex(16)}, user),
    ]
    refused = requests.codes.forbidden if user else requests.codes.unauthorized
    assert reads == [requests.codes.ok if user else refused] * len(reads)
    assert changes == [requests.codes.ok if user == PIPELINE else refused] * len(changes)


def test_a_reader_is_told_that_no_version_is_champion(mlflow: Mlflow) -> None:
    assert Registry(mlflow.log_in(READER), f"none-{secrets.token_hex(4)}", str).champion() is None


@pytest.mark.weekly
def test_passwords_are_those_of_the_last_start(mlflow: Mlflow) -> None:
    former = mlflow.environment["MLFLOW_READER_PASSWORD"]
    mlflow.stop()
    mlflow.environment["MLFLOW_READER_PASSWORD"] = secrets.token_hex(16)
    mlflow.start()
    path = "mlflow/registered-models/search"
    assert call(mlflow, "GET", path, None, READER) == requests.codes.ok
    assert requests.get(f"{mlflow.url}/api/2.0/{path}", auth=(READER, former), timeout=60).status_code == 401
    assert former not in mlflow.log.read_text()
