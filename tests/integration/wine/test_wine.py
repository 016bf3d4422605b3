"""The wine experiment in a real MLflow."""

from __future__ import annotations

from pathlib import Path

import pytest
from sklearn.tree import DecisionTreeClassifier
from upath import UPath

from devstack.state import REPOSITORY
from include.core.errors import ConfigurationError
from include.core.ml.artifact import digest
from include.core.ml.errors import ArtifactError
from include.core.ml.tracking import client
from include.domains.wine import experiment, pipeline, tracking
from tests.integration.conftest import Mlflow

NAMES = list(experiment.CANDIDATES)
SOURCE = UPath(REPOSITORY / "include/data/wine_quality")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small trees instead of forests, in an experiment that other tests don't use."""
    trees = {
        name: (lambda depth=depth: DecisionTreeClassifier(max_depth=depth))
        for depth, name in enumerate(experiment.CANDIDATES, 3)
    }
    monkeypatch.setattr(pipeline, "CANDIDATES", trees)
    monkeypatch.setattr(tracking, "EXPERIMENT", "wine_quality_tests")


def test_a_training_is_recorded_once_with_all_artifacts(mlflow: Mlflow, tmp_path: Path) -> None:
    evaluation = UPath(pipeline.train(SOURCE, UPath(tmp_path), "red", "run-1", NAMES))
    run_id = tracking.record(evaluation, mlflow.server)
    assert tracking.record(evaluation, mlflow.server) == run_id
    api = client(mlflow.server)
    run = api.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.metrics["published_accuracy"] == 0.624
    assert {"paper_accuracy", "grouped_accuracy"} <= run.data.metrics.keys()
    assert run.inputs is not None
    [dataset] = run.inputs.dataset_inputs
    assert dataset.dataset.digest == digest((SOURCE / "winequality-red.csv").read_bytes())[:36]
    artifacts = {file.path for file in api.list_artifacts(run_id)} | {
        file.path for file in api.list_artifacts(run_id, "model")
    }
    assert {
        "confusion_matrix.png",
        "feature_importance.png",
        "model/MLmodel",
        "model/model.skops",
        "model/input_example.json",
    } <= artifacts
    children = api.search_runs(
        [run.info.experiment_id],
        f"tags.{tracking.PARENT} = '{run_id}'".replace("tags.mlflow", "tags.`mlflow").replace("Id =", "Id` ="),
    )
    assert {child.data.tags["candidate"] for child in children} == set(experiment.CANDIDATES)
    assert all(child.data.params["max_depth"] for child in children)


def test_the_oldest_trainings_are_deleted_with_their_candidates(mlflow: Mlflow, tmp_path: Path) -> None:
    runs = [
        tracking.record(
            UPath(pipeline.train(SOURCE, UPath(tmp_path), "red", f"prune-{number}", NAMES)),
            mlflow.server,
        )
        for number in range(3)
    ]
    tracking.prune(mlflow.server, keep=2)
    api = client(mlflow.server)
    experiment_id = api.get_run(runs[0]).info.experiment_id
    remaining = api.search_runs([experiment_id])
    assert {run.info.run_id for run in remaining if tracking.PARENT not in run.data.tags} == set(runs[1:])
    assert len(remaining) == 2 * (1 + len(experiment.CANDIDATES))


def test_a_replaced_file_is_refused(mlflow: Mlflow, tmp_path: Path) -> None:
    evaluation = UPath(pipeline.train(SOURCE, UPath(tmp_path), "red", "corrupt", NAMES))
    (evaluation.parent / "confusion_matrix.png").write_bytes(b"another picture")
    with pytest.raises(ArtifactError, match=r"confusion_matrix\.png has changed since the training"):
        tracking.record(evaluation, mlflow.server)


def test_an_unknown_candidate_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="SPELLBOOK_WINE_CANDIDATES: 'forest'; allowed: article_recipe,"):
        pipeline.train(SOURCE, UPath(tmp_path), "red", "run-1", ["forest"])
