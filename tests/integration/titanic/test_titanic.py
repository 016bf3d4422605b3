"""Evaluate, publish, serve and roll back, with a real MLflow and a real model server."""

from __future__ import annotations

import io
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from mlflow.exceptions import MlflowException
from numpy.typing import NDArray
from upath import UPath

from devstack.environment import process_environment
from devstack.state import REPOSITORY
from include.core.ml import artifact, card, deployment, pipeline, verdicts
from include.core.ml import candidate as candidates
from include.core.ml.errors import ArtifactError, RefusedError, ServingError
from include.core.ml.registry import Registry
from include.core.ml.serving.follower import Follower
from include.domains.titanic.features import segment
from include.domains.titanic.spec import TITANIC
from tests.integration.conftest import Mlflow
from tests.integration.titanic.conftest import (
    FOLDS,
    LIST,
    PATIENCE,
    QUICK,
    Serving,
    accept,
    copy_as,
    deploy,
    evaluate,
    evaluation_of,
    files_of,
    prepare,
)

Serve = Callable[..., Serving]

KELLY = {"Pclass": 3, "Name": "Kelly, Mr. James", "Sex": "male", "SibSp": 0, "Parch": 0, "Ticket": "330911"}


def train(folder: Path, table: pd.DataFrame, registry: Registry, names: list[str] = QUICK, run: str = "other") -> UPath:
    passengers = prepare(table.to_csv(index=False).encode(), f"{run}.csv", folder, run)
    return UPath(pipeline.train(TITANIC, UPath(passengers), FOLDS, names, registry.warehouse()))


def test_an_accepted_candidate_serves_predictions(candidate: UPath, registry: Registry, serve: Serve) -> None:
    serving = serve(registry.name)
    assert serving.server.health()["version"] is None
    accept(candidate, registry)
    assert deploy(candidate, registry, serving) == 1
    health = serving.server.health()
    assert (health["version"], health["model_error"]) == (1, None)
    assert health["sha256"] == candidates.read(candidate).sha256
    [prediction] = serving.server.predict([KELLY])["predictions"]
    assert not prediction["survived"]
    assert 0 < prediction["probability"] < 0.5
    champion = registry.champion()
    assert champion
    for path in (*card.FILES, "reference.parquet", "model/MLmodel"):
        assert registry._download(champion, path)
    assert deploy(candidate, registry, serving) == 1  # a cleared task publishes nothing twice


def test_every_prediction_is_kept(candidate: UPath, registry: Registry, serve_process: Serve) -> None:
    serving = serve_process(registry.name)
    accept(candidate, registry)
    deploy(candidate, registry, serving)
    serving.warehouse_file.write_text(serving.warehouse.replace("127.0.0.1:", "127.0.0.1:1"))  # unreachable
    started_at = time.monotonic()
    first = serving.server.predict([KELLY, KELLY])["predictions"]
    assert time.monotonic() - started_at < 2
    wait(lambda: serving.server.health()["log_error"] is not None)
    serving.kill()  # then the server dies
    serving.warehouse_file.write_text(serving.warehouse)
    serving.start()
    wait(lambda: serving.server.health()["log_waiting"] == 0)
    with psycopg.connect(serving.warehouse) as connection:
        stored = connection.execute(
            "SELECT prediction_id::text, model_version, inputs->>'Name', probability, outcome FROM predictions"
            " WHERE purpose = 'live'"
        ).fetchall()
    expected = {
        (prediction["prediction_id"], 1, KELLY["Name"], prediction["probability"], prediction["survived"])
        for prediction in first
    }
    assert set(stored) == expected


def test_a_bad_request_is_refused_and_not_kept(candidate: UPath, registry: Registry, serve: Serve) -> None:
    serving = serve(registry.name)
    wait(lambda: "being loaded" not in str(serving.server.health()["model_error"]))
    with pytest.raises(ServingError, match=r"answered 503 .*no version of titanic-.* is champion"):
        serving.server.predict([KELLY])
    accept(candidate, registry)
    deploy(candidate, registry, serving)
    for wrong in ({"Sex": "x"}, {"Pclass": 9}, {"Surname": "Kelly"}, {"Name": "a\u0000b"}):
        with pytest.raises(ServingError, match="answered 422"):
            serving.server.predict([KELLY | wrong])


def test_a_refused_candidate_keeps_the_champion(registry: Registry, serving: Serving, tmp_path: Path) -> None:
    bad = train(tmp_path, pd.read_csv(LIST), registry, ["gender_rule"])
    verdict = evaluate(bad, registry)
    refusals = {refusal.split(":")[0]: refusal for refusal in verdict.refusals}
    assert {"accuracy", "segment female-3", "file female-3", "Brier score against version 1", "gain"} <= set(refusals)
    assert "mean accuracy 0.78" in refusals["accuracy"]
    assert not verdict.is_harmless
    with pytest.raises(RefusedError, match=r"was refused: accuracy: mean accuracy 0\.78"):
        deploy(bad, registry, serving)
    assert serving.server.health()["version"] == 1


def test_a_candidate_that_is_bad_in_one_segment_is_refused(registry: Registry, tmp_path: Path) -> None:
    table = pd.read_csv(LIST)
    rows = segment(table).eq("female-2")
    table.loc[rows, "Survived"] = np.random.default_rng(1).integers(2, size=int(rows.sum()))
    verdict = evaluate(train(tmp_path, table, registry), registry)
    assert any(refusal.startswith("segment female-2: accuracy 0.") for refusal in verdict.refusals)
    assert not any("female-1" in refusal or "male-3" in refusal for refusal in verdict.refusals)


def test_nothing_that_the_training_wrote_is_believed(candidate: UPath, registry: Registry, serve: Serve) -> None:
    forged = candidates.read(candidate).model_copy(update={"name": "forged", "chosen": "soft_vote"})
    candidate.write_text(forged.model_dump_json())
    with pytest.raises(RefusedError, match="forged: the gates have recorded no verdict on it"):
        deploy(candidate, registry, serve(registry.name))
    verdict = evaluate(candidate, registry)
    assert verdict.accepted
    assert "| **soft_vote** | 0.8226" in verdict.summary  # as measured, whatever it calls itself


def test_a_verdict_holds_for_the_files_the_code_and_the_champion_that_it_was_made_with(
    candidate: UPath, registry: Registry, serving: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = copy_as(candidate, "refused", registry)
    verdict = verdicts.require(registry.warehouse(), registry.name, "refused")
    verdict.rules[0].passed = False
    verdicts.record(registry.warehouse(), registry.name, verdict)
    with pytest.raises(RefusedError, match="refused was refused: copies: "):
        deploy(refused, registry, serving)
    late = copy_as(candidate, "late", registry)
    deploy(copy_as(candidate, "faster", registry), registry, serving)
    with pytest.raises(RefusedError, match="compared with version 1, but version 2 is champion: clear the task that"):
        deploy(late, registry, serving)
    accept(late, registry)
    monkeypatch.setattr(deployment, "code_digest", lambda _: "0" * 64)
    with pytest.raises(RefusedError, match="late was judged by other code than this worker's: clear the task that"):
        deploy(late, registry, serving)


def test_a_champion_that_cannot_be_judged_blocks_nothing_once_it_is_retired(
    candidate: UPath, registry: Registry, serving: Serving, mlflow: Mlflow
) -> None:
    del serving
    champion = registry.champion()
    assert champion
    registry._client.delete_run(champion.run_id)
    [folder] = (mlflow.log.parent / "artifacts").rglob(f"{champion.run_id}/artifacts")
    shutil.rmtree(folder)
    later = copy_as(candidate, "later", registry)
    with pytest.raises(
        ArtifactError, match=r"can be compared with version 1. If it can't be repaired, set .* 'retired'"
    ):
        evaluate(later, registry)
    registry._client.set_model_version_tag(registry.name, "1", "retired", "its files were deleted")
    verdict = evaluate(later, registry)
    assert verdict.accepted
    assert verdict.champion == 1


@pytest.mark.parametrize("path", ["model/model.skops", "reference.parquet", "evaluation.json", "model_card.md"])
def test_a_corrupt_or_replaced_file_is_refused(candidate: UPath, registry: Registry, path: str, serve: Serve) -> None:
    accept(candidate, registry)
    file = Path(str(candidate.parent / path))
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match="SHA-256"):
        deploy(candidate, registry, serve(registry.name))
    assert registry.champion() is None


def test_the_server_keeps_serving_when_the_registrys_file_is_replaced(
    candidate: UPath, registry: Registry, serving: Serving, mlflow: Mlflow
) -> None:
    other = copy_as(candidate, "other", registry)
    version = registry.publish(
        "other",
        files_of(other),
        Path(str(other.parent)),
        card.record(TITANIC, evaluation_of(other)),
    )
    [file] = Path(mlflow.log.parent / "artifacts").rglob(f"{version.run_id}/artifacts/model/model.skops")
    file.write_bytes(b"not a model")
    registry.promote(version)
    wait(lambda: serving.server.health()["model_error"] is not None)
    health = serving.server.health()
    assert health["version"] == 1
    assert "was replaced" in health["model_error"]
    assert serving.server.predict([KELLY])["version"] == 1


def test_a_swapped_champion_is_refused_until_its_checksum_is_recorded(
    candidate: UPath, registry: Registry, serving: Serving
) -> None:
    """As a person with MLflow's password would swap it; a champion of an earlier release has no checksum either."""
    api, files = registry._client, Path(str(candidate.parent))
    run_id = api.create_run(api.create_experiment(f"{registry.name}-swap")).info.run_id
    api.log_artifacts(run_id, str(files))
    swapped = api.create_model_version(registry.name, f"runs:/{run_id}/model", run_id, {"sha256": "0" * 64})
    api.set_registered_model_alias(registry.name, "champion", str(swapped.version))
    wait(lambda: "has no checksum in the warehouse" in str(serving.server.health()["model_error"]))
    assert serving.server.predict([KELLY])["version"] == 1
    statement = str(serving.server.health()["model_error"]).partition("run in the warehouse: ")[2]
    with psycopg.connect(serving.warehouse) as connection:
        connection.execute(statement)
    wait(lambda: serving.server.health()["version"] == 2)


@pytest.mark.parametrize("path", ["model/model.skops", "reference.parquet"])
def test_a_candidate_is_not_compared_with_a_replaced_champion(
    candidate: UPath, registry: Registry, serving: Serving, mlflow: Mlflow, path: str
) -> None:
    del serving
    champion = registry.champion()
    assert champion
    assert registry.file(champion, path) == (candidate.parent / path).read_bytes()
    [file] = Path(mlflow.log.parent / "artifacts").rglob(f"{champion.run_id}/artifacts/{path}")
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match=rf"version 1: {path}'s SHA-256 is .* was recorded: it is corrupt or was"):
        evaluate(copy_as(candidate, "later", registry), registry)


def test_a_recorded_checksum_is_not_replaced(candidate: UPath, registry: Registry, serving: Serving) -> None:
    del serving
    evaluation, folder = evaluation_of(candidate), Path(str(candidate.parent))
    with pytest.raises(
        ArtifactError, match=f"version 1 was registered with .*skops whose SHA-256 is {evaluation.sha256}; this"
    ):
        registry.publish(evaluation.name, {"model/model.skops": "0" * 64}, folder, card.record(TITANIC, evaluation))


def test_a_failed_check_keeps_the_champion(candidate: UPath, registry: Registry, serving: Serving) -> None:
    wrong = copy_as(candidate, "wrong", registry)
    evaluation = evaluation_of(wrong)
    evaluation.requests[0].probability += 0.1  # the endpoint's prediction differs from the gate's
    content = evaluation.model_dump_json().encode()
    (wrong.parent / candidates.EVALUATION).write_bytes(content)
    verdict = verdicts.require(registry.warehouse(), registry.name, "wrong")
    verdict.files[candidates.EVALUATION] = artifact.digest(content)
    verdicts.record(registry.warehouse(), registry.name, verdict)
    with pytest.raises(RefusedError, match="when the model was evaluated"):
        deploy(wrong, registry, serving)
    serving.stop()
    with pytest.raises(ServingError, match=r"the model server at .*: Conn"):  # before the alias changes
        deploy(copy_as(candidate, "unseen", registry), registry, serving)
    champion = registry.champion()
    assert champion
    assert champion.number == 1


def test_a_version_that_the_server_does_not_load_is_rolled_back(
    candidate: UPath, registry: Registry, serving: Serving, mlflow: Mlflow
) -> None:
    elsewhere = Registry(
        mlflow.server, f"{registry.name}-elsewhere", lambda: serving.warehouse
    )  # the server doesn't follow this one
    accept(candidate, elsewhere)
    pipeline.deploy(TITANIC, candidate, elsewhere, serving.server, patience=5, keep=20)
    with pytest.raises(
        ServingError, match=r"version 2 was rolled back, version 1 is champion again: .* still serves version 1"
    ):
        pipeline.deploy(TITANIC, copy_as(candidate, "later", elsewhere), elsewhere, serving.server, patience=2, keep=20)
    champion = elsewhere.champion()
    assert champion
    assert champion.number == 1


def test_a_first_version_that_the_server_does_not_load_leaves_no_champion(
    candidate: UPath, registry: Registry, serve: Serve
) -> None:
    serving = serve(f"{registry.name}-elsewhere")
    accept(candidate, registry)
    with pytest.raises(ServingError, match="version 1 was rolled back, no version is champion"):
        pipeline.deploy(TITANIC, candidate, registry, serving.server, patience=1, keep=20)
    assert registry.champion() is None


class Shifted(Follower):
    """From version 2 on, predicts as if served with other libraries than it was trained with."""

    def poll(self) -> None:
        super().poll()
        if self.current and self.current.version > 1 and not isinstance(self.current.model, Shift):
            self.current = replace(self.current, model=Shift(self.current.model))


@dataclass
class Shift:
    """A model whose probabilities are off by a hundredth."""

    model: Any

    def predict_proba(self, passengers: pd.DataFrame) -> NDArray[np.float64]:
        return np.asarray(self.model.predict_proba(passengers)) * 0.99


def test_a_version_with_wrong_predictions_is_rolled_back(candidate: UPath, registry: Registry, serve: Serve) -> None:
    serving = serve(registry.name, Shifted)
    accept(candidate, registry)
    assert deploy(candidate, registry, serving) == 1
    with pytest.raises(
        ServingError, match=r"version 2 was rolled back, version 1 is champion again: .* when the model"
    ):
        deploy(copy_as(candidate, "later", registry), registry, serving)
    wait(lambda: serving.server.health()["version"] == 1)
    assert serving.server.predict([KELLY])["version"] == 1


def test_a_first_version_that_is_rolled_back_is_no_longer_served(registry: Registry, serving: Serving) -> None:
    champion = registry.champion()
    assert champion
    registry.roll_back(champion)
    wait(lambda: serving.server.health()["version"] is None)
    with pytest.raises(ServingError, match="answered 503"):
        serving.server.predict([KELLY])


KILLED = """
import os, signal, sys
from upath import UPath
from include.core.ml.registry import Registry
from include.core.ml.serving.client import ModelServer
from include.core.ml.tracking import Server
from include.core.ml import pipeline
from include.domains.titanic.spec import TITANIC
step, evaluation, uri, login, password, name, warehouse, server = sys.argv[1:]
registry = Registry(Server(uri, login, password), name, lambda: warehouse)
setattr(registry._client, step, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
pipeline.deploy(TITANIC, UPath(evaluation), registry, ModelServer(server, TITANIC), 20, 20)
"""


def test_a_deployment_killed_between_upload_and_promotion_is_resumed(
    candidate: UPath, registry: Registry, serve: Serve, mlflow: Mlflow
) -> None:
    serving = serve(registry.name)
    accept(candidate, registry)
    known = (*astuple(mlflow.server), registry.name, serving.warehouse)
    for step in ("create_model_version", "set_registered_model_alias"):
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, step, str(candidate), *known, serving.server.url.removesuffix(TITANIC.path)],
            cwd=REPOSITORY,
            env=process_environment(),
            capture_output=True,
            check=False,
        )
        assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
        assert registry.champion() is None
        assert serving.server.health()["version"] is None
    assert deploy(candidate, registry, serving) == 1  # one version, one run
    experiment = registry._client.get_experiment_by_name(registry.name)
    assert experiment
    assert len(registry._client.search_runs([experiment.experiment_id])) == 1


def test_an_mlflow_outage_loses_no_training(
    candidate: UPath, registry: Registry, serving: Serving, mlflow: Mlflow, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = copy_as(candidate, "later", registry)
    mlflow.stop()
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    try:
        with pytest.raises(MlflowException):
            deploy(later, registry, serving)
        assert serving.server.predict([KELLY])["version"] == 1
    finally:
        mlflow.start()
    assert deploy(later, registry, serving) == 2  # the next try
    assert serving.server.predict([KELLY])["version"] == 2


def test_no_request_fails_during_a_change_of_champion(candidate: UPath, registry: Registry, serving: Serving) -> None:
    later, evaluation = copy_as(candidate, "later", registry), evaluation_of(candidate)
    registry.promote(
        registry.publish("later", files_of(later), Path(str(later.parent)), card.record(TITANIC, evaluation))
    )
    versions: set[int] = set()

    def second_version_responds() -> bool:
        versions.add(serving.server.predict([KELLY])["version"])
        return 2 in versions

    wait(second_version_responds)
    assert versions == {1, 2}


def test_old_versions_are_deleted_except_the_champion_its_predecessor_and_the_pinned_one(
    candidate: UPath, registry: Registry, serve: Serve
) -> None:
    serving = serve(registry.name)
    accept(candidate, registry)
    for name in ("a", "b", "c", "d"):
        pipeline.deploy(
            TITANIC, copy_as(candidate, name, registry), registry, serving.server, patience=PATIENCE, keep=1
        )
    remaining = registry._client.search_model_versions(f"name = '{registry.name}'")
    assert sorted(int(version.version) for version in remaining) == [1, 3, 4]  # the first is pinned


def test_the_model_card_shows_the_measurements(candidate: UPath, registry: Registry) -> None:
    accept(candidate, registry)
    text = (candidate.parent / card.CARD).read_text()
    evaluation = evaluation_of(candidate)
    assert f"{evaluation.results['logistic_regression'].metrics['accuracy']:.4f}" in text
    assert text.count("- passed: ") == 28
    assert "**refused**" not in text
    for path in card.FILES[1:]:
        assert (candidate.parent / path).read_bytes().startswith(b"\x89PNG")
        assert f"({path})" in text


@pytest.mark.weekly
def test_the_champion_is_fitted_again_for_the_comparison_when_the_data_has_changed(
    candidate: UPath, registry: Registry, serving: Serving, tmp_path: Path
) -> None:
    del candidate, serving
    fewer = train(tmp_path, pd.read_csv(LIST).sample(800, random_state=1), registry)
    verdict = evaluate(fewer, registry)
    assert [refusal.split(":")[0] for refusal in verdict.refusals] == ["gain"]  # the same recipe on the same folds
    assert "accuracy +0.0000 (p = 1)" in verdict.refusals[0]
    assert verdict.is_harmless
    assert evaluate(fewer, registry, needs_gain=False).accepted


def test_a_training_leaves_no_pickle(candidate: UPath) -> None:
    files = [path.name for path in Path(str(candidate.parent)).rglob("*") if path.is_file()]
    assert "model.skops" in files
    assert not [name for name in files if name.endswith((".pkl", ".pickle", ".joblib"))]
    assert pd.read_parquet(io.BytesIO((candidate.parent / "reference.parquet").read_bytes())).shape[0] == 891


def wait(condition: Callable[[], object], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
