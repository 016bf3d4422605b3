"""The model registry: complete versions, and an alias for the one that serves.

A version is created, with its tags, in one transaction of MLflow's database after all its files are uploaded; the alias
is moved in another. A deployment that is killed at any point leaves the alias on a complete version.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from include.core.ml.artifact import MODEL_FILE
from include.core.ml.tracking import client

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mlflow.entities.model_registry import ModelVersion

    from include.core.ml.tracking import Server

CHAMPION = "champion"
MODEL_FOLDER = "model"
TAG_SHA256, TAG_CANDIDATE, TAG_PREVIOUS = "sha256", "candidate", "previous"
NOT_FOUND = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}  # no such model; no such alias of it


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        number: the version's number.
        run_id: the MLflow run that holds its files.
        sha256: recorded checksum of the model file.
        candidate: name of the training.
        previous: number of the champion that it replaced; 0 if there was none, ``None`` if it never became champion.
    """

    number: int
    run_id: str
    sha256: str
    candidate: str
    previous: int | None


@dataclass(frozen=True)
class Record:
    """Parameters, metrics and tags of a version's MLflow run, by name."""

    params: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]


class Registry:
    """The registered model ``name`` on an MLflow server.

    Every method raises ``mlflow.exceptions.MlflowException`` if MLflow doesn't respond, which can be retried.
    """

    def __init__(self, server: Server, name: str) -> None:
        self.name = name
        self._client = client(server)

    def champion(self) -> Version | None:
        """Return the version that serves; ``None`` if none does."""
        from mlflow.exceptions import MlflowException

        try:
            return _version(self._client.get_model_version_by_alias(self.name, CHAMPION))
        except MlflowException as error:
            if error.error_code not in NOT_FOUND or "not found" not in str(error):
                raise
            return None

    def version(self, number: int) -> Version:
        """Return the version with this number."""
        return _version(self._client.get_model_version(self.name, str(number)))

    def file(self, version: Version, path: str) -> bytes:
        """Return a file that was uploaded with the version."""
        with tempfile.TemporaryDirectory() as folder:
            return Path(self._client.download_artifacts(version.run_id, path, folder)).read_bytes()

    def model_file(self, version: Version) -> bytes:
        """Return the bytes of the model, for :func:`include.core.ml.artifact.load`."""
        return self.file(version, f"{MODEL_FOLDER}/{MODEL_FILE}")

    def publish(self, candidate: str, sha256: str, folder: Path, record: Record) -> Version:
        """Upload a candidate's files and create a version of them, or return the existing version.

        Args:
            candidate: unique name of the training.
            sha256: checksum of ``folder``/model/model.skops.
            folder: files of the version.
            record: parameters, metrics and tags of the run.
        """
        if existing := self._client.search_model_versions(
            f"name = '{self.name}' and tag.{TAG_CANDIDATE} = '{candidate}'"
        ):
            return _version(existing[0])
        run_id = self._run(candidate)
        self._record(run_id, record)
        self._client.log_artifacts(run_id, str(folder))
        self._client.set_terminated(run_id)
        self._ensure_model()
        tags = {TAG_CANDIDATE: candidate, TAG_SHA256: sha256}
        source = f"runs:/{run_id}/{MODEL_FOLDER}"
        return _version(self._client.create_model_version(self.name, source, run_id, tags))

    def promote(self, version: Version) -> Version:
        """Make ``version`` champion and return it, with the previous champion recorded for :meth:`roll_back`."""
        champion = self.champion()
        if champion and champion.number == version.number:
            return champion
        previous = champion.number if champion else 0
        self._client.set_model_version_tag(self.name, str(version.number), TAG_PREVIOUS, str(previous))
        self._client.set_registered_model_alias(self.name, CHAMPION, str(version.number))
        return Version(version.number, version.run_id, version.sha256, version.candidate, previous)

    def roll_back(self, version: Version) -> int | None:
        """Move the alias back to the version that ``version`` replaced and return it, ``None`` if there was none."""
        if not version.previous:
            self._client.delete_registered_model_alias(self.name, CHAMPION)
            return None
        self._client.set_registered_model_alias(self.name, CHAMPION, str(version.previous))
        return version.previous

    def prune(self, keep: int) -> int:
        """Delete all versions and runs except the newest ``keep``, the champion and its predecessor; return how many.

        MLflow keeps deleted runs until ``mlflow gc``; the UI no longer shows them.
        """
        champion = self.champion()
        protected = {champion.number, champion.previous} if champion else set()
        versions = self._client.search_model_versions(f"name = '{self.name}'", order_by=["version_number DESC"])
        old = [version for version in versions[keep:] if int(version.version) not in protected]
        for version in old:
            self._client.delete_model_version(self.name, version.version)
            self._client.delete_run(str(version.run_id))
        return len(old)

    def _run(self, candidate: str) -> str:
        """Return the run of a candidate, reusing that of a killed deployment."""
        experiment = self._client.get_experiment_by_name(self.name)
        experiment_id = experiment.experiment_id if experiment else self._client.create_experiment(self.name)
        runs = self._client.search_runs([experiment_id], f"tags.{TAG_CANDIDATE} = '{candidate}'", max_results=1)
        if runs:
            return str(runs[0].info.run_id)
        run = self._client.create_run(experiment_id, tags={TAG_CANDIDATE: candidate}, run_name=candidate)
        return str(run.info.run_id)

    def _record(self, run_id: str, record: Record) -> None:
        from mlflow.entities import Metric, Param, RunTag

        timestamp = int(time.time() * 1000)
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, timestamp, 0) for name, value in record.metrics.items()],
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


def _version(entity: ModelVersion) -> Version:
    tags: Mapping[str, str] = entity.tags
    previous = tags.get(TAG_PREVIOUS)
    return Version(
        int(entity.version),
        str(entity.run_id),
        tags.get(TAG_SHA256, ""),
        tags.get(TAG_CANDIDATE, ""),
        None if previous is None else int(previous),
    )
