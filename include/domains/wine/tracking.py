"""Logs trainings to MLflow, with a run for each colour and a nested run for each candidate, and prunes old ones."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from include.core.errors import ConfigurationError
from include.core.ml.tracking import client
from include.domains.wine import pipeline
from include.domains.wine.data import MEASUREMENTS
from include.domains.wine.experiment import PUBLISHED

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient

    from include.core.ml.tracking import Server
    from include.core.storage import File
    from include.domains.wine.pipeline import Trained

EXPERIMENT = "wine_quality"
PARENT = "mlflow.parentRunId"
TRAINING, CANDIDATE = "training", "candidate"


def record(evaluation: File, server: Server) -> str:
    """Log a training to MLflow; return the id of its run. Repeating it doesn't create another run.

    Raises:
        ArtifactError: if a file has changed since the training.
        MlflowException: if MLflow is unavailable; a retry logs the stored training.
    """
    mlflow = client(server)
    with tempfile.TemporaryDirectory() as temporary:
        trained = pipeline.fetch(evaluation, Path(temporary))
        experiment = _experiment(mlflow)
        run_id = _run(mlflow, experiment, trained.name, {TRAINING: trained.name})
        for name, metrics in trained.metrics.items():
            tags = {TRAINING: f"{trained.name}/{name}", PARENT: run_id, CANDIDATE: name}
            child = _run(mlflow, experiment, name, tags)
            _log(mlflow, child, trained.params[name], metrics)
            mlflow.set_terminated(child)
        _log_dataset(mlflow, run_id, trained)
        mlflow.log_artifacts(run_id, temporary)
        mlflow.set_tag(run_id, "mlflow.note.content", trained.summary())
        _log(
            mlflow,
            run_id,
            pipeline.common_params(trained),
            trained.metrics[trained.chosen] | {"published_accuracy": PUBLISHED[trained.colour]},
        )
        mlflow.set_terminated(run_id)
    return run_id


def prune(server: Server, keep: int) -> int:
    """Delete all but the newest ``keep`` trainings with their candidates; return the number of deleted trainings."""
    mlflow = client(server)
    runs = mlflow.search_runs([_experiment(mlflow)], order_by=["attributes.start_time DESC"], max_results=5000)
    parents = [run for run in runs if PARENT not in run.data.tags]
    expired = {run.info.run_id for run in parents[keep:]}
    for run in runs:
        if run.info.run_id in expired or run.data.tags.get(PARENT) in expired:
            mlflow.delete_run(run.info.run_id)
    return len(expired)


def _experiment(mlflow: MlflowClient) -> str:
    from mlflow.exceptions import MlflowException

    try:
        return str(mlflow.create_experiment(EXPERIMENT))
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    experiment = mlflow.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        raise ConfigurationError(f"experiment {EXPERIMENT!r} was deleted: restore it, or remove it with `mlflow gc`")
    return str(experiment.experiment_id)


def _run(mlflow: MlflowClient, experiment: str, name: str, tags: dict[str, str]) -> str:
    """Return the id of the run with these tags, created if missing, so that a retry continues an interrupted try."""
    runs = mlflow.search_runs([experiment], f"tags.{TRAINING} = '{tags[TRAINING]}'", max_results=1)
    if runs:
        return str(runs[0].info.run_id)
    return str(mlflow.create_run(experiment, tags=tags, run_name=name).info.run_id)


def _log(mlflow: MlflowClient, run_id: str, params: Mapping[str, object], metrics: Mapping[str, float]) -> None:
    from mlflow.entities import Metric, Param

    moment = int(time.time() * 1000)
    mlflow.log_batch(
        run_id,
        metrics=[Metric(name, value, moment, 0) for name, value in metrics.items()],
        params=[Param(name, str(value)) for name, value in params.items()],
    )


def _log_dataset(mlflow: MlflowClient, run_id: str, trained: Trained) -> None:
    """Log the data set with its digest, which MLflow limits to 36 characters."""
    import json

    from mlflow.entities import Dataset, DatasetInput

    source = json.dumps({"file": f"winequality-{trained.colour}.csv", "sha256": trained.data_digest})
    profile = json.dumps({"rows": trained.rows, "copies": trained.copies, "columns": len(MEASUREMENTS)})
    dataset = Dataset(f"wine_quality_{trained.colour}", trained.data_digest[:36], "local", source, profile=profile)
    mlflow.log_inputs(run_id, [DatasetInput(dataset)])
