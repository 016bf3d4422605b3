"""The model registry: complete versions, and an alias for the one that serves.

A version is created, with its tags, in one transaction of MLflow's database after all its files are uploaded; the alias
is moved in another. A deployment that is killed at any point leaves the alias on a complete version.
"""

from __future__ import annotations

import json
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from include.core.ml import artifact, checksums
from include.core.ml.errors import ArtifactError
from include.core.ml.tracking import client

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from mlflow.entities.model_registry import ModelVersion
    from mlflow.exceptions import MlflowException

    from include.core.ml.tracking import Server

CHAMPION, PINNED, CHALLENGER = "champion", "pinned", "challenger"
MODEL_FOLDER = "model"
MODEL = f"{MODEL_FOLDER}/{artifact.MODEL_FILE}"
TAG_CANDIDATE, TAG_PREVIOUS, TAG_PREVIOUS_PIN, TAG_RETIRED = "candidate", "previous", "previous_pin", "retired"
TAG_REASON, TAG_BY = "promoted_because", "promoted_by"
LONGEST_TAG = 5000  # characters
PARAMS_AT_ONCE, LONGEST_DIGEST = 100, 36  # MLflow's limits
FORBIDDEN = "PERMISSION_DENIED"  # also if there is no such model, unless the user is an administrator
NOT_FOUND = {"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"}  # no such model; no such alias of it


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    Attributes:
        number: the version's number.
        run_id: the MLflow run that holds its files.
        candidate: name of the training.
        previous: number of the champion that it replaced; 0 if there was none, ``None`` if it never became champion.
        previous_pin: number of the pinned version before it became champion, likewise.
        retired: why no candidate is compared with it any more: its tag ``retired``, which a person sets in MLflow.
    """

    number: int
    run_id: str
    candidate: str
    previous: int | None
    previous_pin: int | None = None
    retired: str = ""


@dataclass(frozen=True)
class Loaded:
    """A version's model, with its file and that file's checksum."""

    model: Any
    content: bytes
    sha256: str


@dataclass(frozen=True)
class TrainingRows:
    """The rows that a version was trained on: their SHA-256, their number, and the version's file that has them."""

    sha256: str
    number: int
    file: str


@dataclass(frozen=True)
class Record:
    """Parameters, metrics and tags of a version's MLflow run, by name, and its training rows."""

    params: Mapping[str, object]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    rows: TrainingRows | None = None


class Registry:
    """A registered model.

    Every method raises ``mlflow.exceptions.MlflowException`` if MLflow doesn't respond, which can be retried.

    Args:
        server: the MLflow server.
        name: name of the model.
        warehouse: returns the URI of the warehouse with the checksums; called on each use.
    """

    def __init__(self, server: Server, name: str, warehouse: Callable[[], str]) -> None:
        self.name = name
        self._client = client(server)
        self._warehouse = warehouse

    def warehouse(self) -> str:
        """Return the URI of the warehouse."""
        return self._warehouse()

    def champion(self) -> Version | None:
        """Return the version that serves; ``None`` if none does."""
        return self._aliased(CHAMPION)

    def pinned(self) -> Version | None:
        """Return the version that no champion may fall behind: the last that was better than its predecessor."""
        return self._aliased(PINNED)

    def challenger(self) -> Version | None:
        """Return the version that answers a copy of the champion's requests; ``None`` if none does."""
        return self._aliased(CHALLENGER)

    def challenge(self, version: Version | None) -> None:
        """Make ``version`` challenger; ``None``: no version is any more."""
        self._move(CHALLENGER, version.number if version else None)

    def _aliased(self, alias: str) -> Version | None:
        from mlflow.exceptions import MlflowException

        try:
            return _version(self._client.get_model_version_by_alias(self.name, alias))
        except MlflowException as error:
            if error.error_code == FORBIDDEN and not self._client.search_registered_models(f"name = '{self.name}'"):
                return None
            if error.error_code not in NOT_FOUND or "not found" not in str(error):
                raise
            return None

    def version(self, number: int) -> Version:
        """Return the version with this number."""
        return _version(self._client.get_model_version(self.name, str(number)))

    def find(self, wanted: str) -> Version | None:
        """Return the version with this number or MLflow run, the champion if empty; ``None`` if there is none."""
        if not wanted:
            return self.champion()
        found = self._client.search_model_versions(f"name = '{self.name}'")
        return next((_version(entity) for entity in found if wanted in {str(entity.version), entity.run_id}), None)

    def file(self, version: Version, path: str) -> bytes:
        """Return a file of the version, of which :meth:`publish` recorded a checksum.

        Raises:
            ArtifactError: if it is too large, or isn't the one that was published.
        """
        content, sha256 = self._recorded_file(version, path)
        artifact.verify(content, sha256, f"{self.name} version {version.number}: {path}")
        return content

    def load(self, version: Version, trusted: Sequence[str]) -> Loaded:
        """Load a version's model, which may contain the ``trusted`` types.

        Raises:
            ArtifactError: if its file isn't the one that was published, or isn't a model; nothing was loaded.
        """
        content, sha256 = self._recorded_file(version, MODEL)
        model = artifact.load(content, sha256, trusted, f"{self.name} version {version.number}")
        return Loaded(model, content, sha256)

    def publish(self, candidate: str, files: Mapping[str, str], folder: Path, record: Record) -> Version:
        """Upload a candidate's files, create a version of them, or find the existing one, and record the checksums.

        Args:
            candidate: unique name of the training.
            files: checksum of each file that is read again, by its path in ``folder``.
            folder: files of the version.
            record: parameters, metrics and tags of the run.

        Raises:
            ArtifactError: if the existing version's model has another checksum.
        """
        if existing := self._client.search_model_versions(
            f"name = '{self.name}' and tag.{TAG_CANDIDATE} = '{candidate}'"
        ):
            version = _version(existing[0])
            if checksums.is_recorded(self._warehouse(), self.name, version.number):
                return self._recorded(version, {MODEL: files[MODEL]})
            self._client.log_artifacts(version.run_id, str(folder))  # the deployment was killed before it recorded them
            return self._recorded(version, files)
        run_id = self._run(candidate)
        self._record(run_id, record)
        self._client.log_artifacts(run_id, str(folder))
        self._client.set_terminated(run_id)
        self._ensure_model()
        source = f"runs:/{run_id}/{MODEL_FOLDER}"
        created = self._client.create_model_version(self.name, source, run_id, {TAG_CANDIDATE: candidate})
        return self._recorded(_version(created), files)

    def promote(self, version: Version, *, pins: bool = False, reason: str = "", by: str = "") -> Version:
        """Make ``version`` champion and return it, with the previous champion recorded for :meth:`roll_back`.

        ``pins`` makes it the pinned version too, as it becomes in any case if there is none or a retired one.
        ``reason``, and ``by`` whom, are recorded as tags.
        """
        champion, pinned = self.champion(), self.pinned()
        if not champion or champion.number != version.number:
            tags = {
                TAG_PREVIOUS: str(champion.number if champion else 0),
                TAG_PREVIOUS_PIN: str(pinned.number if pinned else 0),
                TAG_REASON: reason,
                TAG_BY: by,
            }
            for tag, text in tags.items():
                if text:
                    self._client.set_model_version_tag(self.name, str(version.number), tag, text[:LONGEST_TAG])
            self._client.set_registered_model_alias(self.name, CHAMPION, str(version.number))
        if pins or pinned is None or pinned.retired:
            self._client.set_registered_model_alias(self.name, PINNED, str(version.number))
        challenger = self.challenger()
        if challenger and challenger.number == version.number:
            self.challenge(None)
        return self.version(version.number)

    def roll_back(self, version: Version) -> int | None:
        """Move the aliases back to where they were before ``version`` became champion; return the champion's number."""
        pinned = self.pinned()
        self._move(CHAMPION, version.previous)
        if pinned and pinned.number == version.number:
            self._move(PINNED, version.previous_pin)
        return version.previous or None

    def _move(self, alias: str, number: int | None) -> None:
        if number:
            self._client.set_registered_model_alias(self.name, alias, str(number))
        else:
            self._client.delete_registered_model_alias(self.name, alias)

    def prune(self, keep: int) -> int:
        """Delete old versions and their runs; return how many.

        The newest ``keep``, the champion, its predecessor, the pinned version and the challenger stay. MLflow keeps
        deleted runs until ``mlflow gc``; the UI no longer shows them.
        """
        champion, others = self.champion(), (self.pinned(), self.challenger())
        protected = {champion.number, champion.previous} if champion else set()
        protected |= {version.number for version in others if version}
        versions = self._client.search_model_versions(f"name = '{self.name}'", order_by=["version_number DESC"])
        old = [version for version in versions[keep:] if int(version.version) not in protected]
        for version in old:
            self._client.delete_model_version(self.name, version.version)
            self._client.delete_run(str(version.run_id))
        return len(old)

    def _recorded(self, version: Version, files: Mapping[str, str]) -> Version:
        checksums.record(self._warehouse(), self.name, version.number, files)
        return version

    def _recorded_file(self, version: Version, path: str) -> tuple[bytes, str]:
        """Return a file's bytes as they are now, and the checksum that was recorded."""
        content = self._download(version, path)
        return content, checksums.require(self._warehouse(), self.name, version.number, path, artifact.digest(content))

    def _download(self, version: Version, path: str) -> bytes:
        from mlflow.exceptions import MlflowException

        try:
            return self._downloaded(version, path)
        except MlflowException as error:
            if not missing(error):
                raise
            raise ArtifactError(
                f"{self.name} version {version.number}: MLflow has no {path} any more: {error}"
            ) from error

    def _downloaded(self, version: Version, path: str) -> bytes:
        listed = self._client.list_artifacts(version.run_id, path.rpartition("/")[0] or None)
        if path not in {entry.path for entry in listed}:
            raise ArtifactError(f"{self.name} version {version.number}: MLflow has no {path} any more")
        self._check_size(version, path, next((entry.file_size or 0 for entry in listed if entry.path == path), 0))
        with tempfile.TemporaryDirectory() as folder:
            file = Path(self._client.download_artifacts(version.run_id, path, folder))
            self._check_size(version, path, file.stat().st_size)
            return file.read_bytes()

    def _check_size(self, version: Version, path: str, size: int) -> None:
        if size > artifact.MAX_BYTES:
            raise ArtifactError(
                f"{self.name} version {version.number}: {path} has {size} bytes; at most {artifact.MAX_BYTES} are"
                " allowed"
            )

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
        from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, RunTag

        timestamp = int(time.time() * 1000)
        params = [Param(name, str(value)) for name, value in record.params.items()]
        self._client.log_batch(
            run_id,
            metrics=[Metric(name, value, timestamp, 0) for name, value in record.metrics.items()],
            params=params[:PARAMS_AT_ONCE],
            tags=[RunTag(name, value) for name, value in record.tags.items()],
        )
        for first in range(PARAMS_AT_ONCE, len(params), PARAMS_AT_ONCE):
            self._client.log_batch(run_id, params=params[first : first + PARAMS_AT_ONCE])
        if record.rows:
            source = json.dumps({"uri": f"runs:/{run_id}/{record.rows.file}"})
            profile = json.dumps({"num_rows": record.rows.number})
            dataset = Dataset(self.name, record.rows.sha256[:LONGEST_DIGEST], "local", source, profile=profile)
            self._client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])

    def _ensure_model(self) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(self.name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def missing(error: MlflowException) -> bool:
    """Return whether MLflow no longer has the version, its run or its file, rather than being out of order."""
    return error.error_code in NOT_FOUND and "not found" in str(error).lower()


def _version(entity: ModelVersion) -> Version:
    tags: Mapping[str, str] = entity.tags

    def number(tag: str) -> int | None:
        return int(tags[tag]) if tag in tags else None

    return Version(
        int(entity.version),
        str(entity.run_id),
        tags.get(TAG_CANDIDATE, ""),
        number(TAG_PREVIOUS),
        number(TAG_PREVIOUS_PIN),
        tags.get(TAG_RETIRED, ""),
    )
