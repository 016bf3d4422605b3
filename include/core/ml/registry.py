"""The model registry: versions that are whole from the moment they can be seen, and an alias that says which serves.

A version is created after all its files were uploaded, in one transaction of MLflow's database that also holds its
tags; the alias moves in another. A deployment that is killed at any moment leaves the alias on a whole version.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from include.core.ml.artifact import MODEL_FILE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion

CHAMPION = "champion"
MODEL_FOLDER = "model"
TAG_SHA256, TAG_CANDIDATE, TAG_PREVIOUS = "sha256", "candidate", "previous"
NOT_THERE = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}  # no such model; no such alias of it
ENVIRONMENT = {
    # MLflow's own would hold a task for minutes; Airflow tries again later, which outlasts a restart of the server.
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "20",
    # Its thread sets and unsets environment variables, and now and then a call of another thread fails on it (3.17.2).
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}


@dataclass(frozen=True)
class Version:
    """One version of a registered model.

    Attributes:
        number: the version's number.
        run_id: the MLflow run that holds its files.
        sha256: checksum of the model file when it was made.
        candidate: the training that it came from.
        previous: number of the champion that it replaced; 0 if there was none, ``None`` if it never became champion.
    """

    number: int
    run_id: str
    sha256: str
    candidate: str
    previous: int | None


@dataclass(frozen=True)
class Record:
    """What a version's MLflow run shows: parameters, metrics and tags, by name."""

    params: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class Registry:
    """The registered model ``name`` on the MLflow server at ``uri``.

    Every method raises ``mlflow.exceptions.MlflowException`` if MLflow doesn't answer; worth a retry.
    """

    def __init__(self, uri: str, name: str) -> None:
        self.name = name
        self._client = client(uri)

    def champion(self) -> Version | None:
        """Return the version that serves; ``None`` if none does."""
        from mlflow.exceptions import MlflowException

        try:
            return _version(self._client.get_model_version_by_alias(self.name, CHAMPION))
        except MlflowException as error:
            if error.error_code not in NOT_THERE or "not found" not in str(error):
                raise
            return None

    def version(self, number: int) -> Version:
        """Return the version with this number."""
        return _version(self._client.get_model_version(self.name, str(number)))

    def file(self, version: Version, path: str) -> bytes:
        """Return one file that was uploaded with the version."""
        with tempfile.TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(version.run_id, path, folder)).read_bytes()

    def model_file(self, version: Version) -> bytes:
        """Return the bytes of the model, for :func:`include.core.ml.artifact.load`."""
        return self.file(version, f"{MODEL_FOLDER}/{MODEL_FILE}")

    def publish(self, candidate: str, sha256: str, folder: Path, record: Record) -> Version:
        """Upload a candidate's files and make a version of them; one that is published already is returned as it is.

        Args:
            candidate: what names the training, once and for all.
            sha256: checksum of ``folder``/model/model.skops.
            folder: everything to be kept with the version.
            record: what the run shows.
        """
        if known := self._client.search_model_versions(f"name = '{self.name}' and tag.{TAG_CANDIDATE} = '{candidate}'"):
            return _version(known[0])
        run_id = self._run(candidate)
        self._record(run_id, record)
        self._client.log_artifacts(run_id, str(folder))
        self._client.set_terminated(run_id)
        self._ensure_model()
        tags = {TAG_CANDIDATE: candidate, TAG_SHA256: sha256}
        source = f"runs:/{run_id}/{MODEL_FOLDER}"
        return _version(self._client.create_model_version(self.name, source, run_id, tags))

    def promote(self, version: Version) -> Version:
        """Make ``version`` champion and return it, with the champion that it replaces noted for :meth:`roll_back`."""
        champion = self.champion()
        if champion and champion.number == version.number:
            return champion
        previous = champion.number if champion else 0
        self._client.set_model_version_tag(self.name, str(version.number), TAG_PREVIOUS, str(previous))
        self._client.set_registered_model_alias(self.name, CHAMPION, str(version.number))
        return Version(version.number, version.run_id, version.sha256, version.candidate, previous)

    def roll_back(self, version: Version) -> int | None:
        """Give the alias back to what ``version`` replaced; return that version, ``None`` if there was none."""
        if not version.previous:
            self._client.delete_registered_model_alias(self.name, CHAMPION)
            return None
        self._client.set_registered_model_alias(self.name, CHAMPION, str(version.previous))
        return version.previous

    def prune(self, keep: int) -> int:
        """Delete the runs but the newest ``keep`` and the champions' old and new; return how many went.

        MLflow keeps deleted runs until ``mlflow gc``; the UI no longer shows them.
        """
        champion = self.champion()
        spared = {champion.number, champion.previous} if champion else set()
        versions = self._client.search_model_versions(f"name = '{self.name}'", order_by=["version_number DESC"])
        old = [one for one in versions[keep:] if int(one.version) not in spared]
        for one in old:
            self._client.delete_model_version(self.name, one.version)
            self._client.delete_run(str(one.run_id))
        return len(old)

    def _run(self, candidate: str) -> str:
        """Return the run of a candidate; one that a killed deployment left is taken up."""
        experiment = self._client.get_experiment_by_name(self.name)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(self.name)
        known = self._client.search_runs([experiment_id], f"tags.{TAG_CANDIDATE} = '{candidate}'", max_results=1)
        if known:
            return str(known[0].info.run_id)
        run = self._client.create_run(experiment_id, tags={TAG_CANDIDATE: candidate}, run_name=candidate)
        return str(run.info.run_id)

    def _record(self, run_id: str, record: Record) -> None:
        from mlflow.entities import Metric, Param, RunTag

        moment = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, moment, 0) for name, value in record.metrics.items()],
            params=[Param(name, str(value)) for name, value in record.params.items()],
            tags=[RunTag(name, value) for name, value in record.tags.items()],
        )

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def client(uri: str) -> MlflowClient:
    """Return a client of the MLflow server at ``uri`` that gives up in time."""
    for variable, value in ENVIRONMENT.items():
        os.environ.setdefault(variable, value)
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


def _version(found: ModelVersion) -> Version:
    tags: Mapping[str, str] = found.tags
    previous = tags.get(TAG_PREVIOUS)
    return Version(
        int(found.version),
        str(found.run_id),
        tags.get(TAG_SHA256, ""),
        tags.get(TAG_CANDIDATE, ""),
        None if previous is None else int(previous),
    )
