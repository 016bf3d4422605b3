"""The steps of ``sagemaker_deployment`` around the operators: package, verify, switch, clean up."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tarfile
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from include.core.ml import artifact
from include.core.ml.candidate import EVALUATION, Evaluation
from include.core.ml.errors import NoChampionError
from include.core.ml.registry import MODEL_FOLDER
from include.core.ml.sagemaker.errors import EndpointError, translate_errors
from include.core.ml.serving.client import TOLERANCE

if TYPE_CHECKING:
    from include.core.ml.candidate import Request
    from include.core.ml.registry import Registry
    from include.core.ml.spec import ModelSpec

log = logging.getLogger(__name__)


class Deployment(BaseModel):
    """What a run deploys.

    Attributes:
        name: name of the SageMaker model, the endpoint's configuration and the endpoint: version, checksum and run, so
            that a repeated task creates nothing twice, and a new run creates everything again.
        model_url: URL of model.tar.gz.
        version: the registered version.
        sha256: checksum of its model file.
    """

    name: str
    model_url: str
    version: int
    sha256: str


class Bucket:
    """The bucket that holds the packages and the record of the live endpoint."""

    def __init__(self, s3: Any, name: str, model: str) -> None:
        self._s3, self.name, self._folder = s3, name, f"sagemaker/{model}"

    @classmethod
    def ensure(cls, s3: Any, name: str, model: str) -> Bucket:
        """Return the bucket for a model's packages, created where it is missing.

        Args:
            s3: boto3's ``s3`` client.
            name: of the bucket.
            model: registered name.
        """
        try:
            s3.head_bucket(Bucket=name)
        except s3.exceptions.ClientError as error:
            if error.response["Error"]["Code"] != "404":
                raise
            s3.create_bucket(Bucket=name)
        return cls(s3, name, model)

    def upload(self, deployment: str, package: bytes) -> str:
        """Upload a package and return its URL."""
        key = f"{self._folder}/{deployment}/model.tar.gz"
        with translate_errors(f"upload {key}"):
            self._s3.put_object(Bucket=self.name, Key=key, Body=package)
        return f"s3://{self.name}/{key}"

    def live(self) -> Deployment | None:
        """Return the live deployment; ``None`` before the first."""
        try:
            response = self._s3.get_object(Bucket=self.name, Key=f"{self._folder}/live.json")
        except self._s3.exceptions.NoSuchKey:
            return None
        return Deployment.model_validate_json(response["Body"].read())

    def switch(self, deployment: Deployment) -> None:
        """Make a deployment live, by replacing one object atomically."""
        key = f"{self._folder}/live.json"
        self._s3.put_object(Bucket=self.name, Key=key, Body=deployment.model_dump_json().encode())


def package(spec: ModelSpec, registry: Registry, bucket: Bucket, run_id: str) -> Deployment:
    """Package the champion as model.tar.gz for SageMaker, and upload it.

    Raises:
        NoChampionError: if there is no champion.
        ArtifactError: if the registered file was changed since the training.
    """
    champion = registry.champion()
    if champion is None:
        raise NoChampionError(f"no version of {registry.name} is champion: train and deploy one first")
    candidate = Evaluation.model_validate_json(registry.file(champion, EVALUATION))
    loaded = registry.load(champion, spec.trusted_types)
    files = {
        path: content for path in candidate.files if (content := _content(path, loaded.content, registry, champion))
    }
    run = hashlib.sha256(run_id.encode()).hexdigest()[:8]
    name = f"{registry.name}-v{champion.number}-{loaded.sha256[:12]}-{run}"
    url = bucket.upload(name, _tar(files))
    return Deployment(name=name, model_url=url, version=champion.number, sha256=loaded.sha256)


def _content(path: str, model: bytes, registry: Registry, champion: Any) -> bytes | None:
    if not path.startswith(f"{MODEL_FOLDER}/"):
        return None
    return model if path.endswith(artifact.MODEL_FILE) else registry.file(champion, path)


def _tar(files: dict[str, bytes]) -> bytes:
    """Return a gzipped tar of the model folder's files; the same files give the same members, in the same order."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for path, content in sorted(files.items()):
            member = tarfile.TarInfo(path.removeprefix(f"{MODEL_FOLDER}/"))
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def requests(registry: Registry, version: int) -> list[Request]:
    """Return real requests with the expected predictions of a version."""
    return Evaluation.model_validate_json(registry.file(registry.version(version), EVALUATION)).requests


def verify(spec: ModelSpec, runtime: Any, deployment: Deployment, expected: list[Request], *, compare: bool) -> str:
    """Send real requests to the endpoint, check the predictions, and return the response.

    Args:
        spec: spec of the model.
        runtime: boto3's ``sagemaker-runtime`` client.
        deployment: deployment of the endpoint.
        expected: requests and expected predictions.
        compare: whether to check the predictions; ``False`` if no container runs behind the endpoint.

    Raises:
        EndpointError: naming the row whose prediction is wrong, or the unexpected response.
    """
    body = json.dumps({"dataframe_records": [request.row for request in expected]})
    with translate_errors(f"invoke {deployment.name}"):
        response = runtime.invoke_endpoint(EndpointName=deployment.name, ContentType="application/json", Body=body)
        text: str = response["Body"].read().decode()
    if not compare:
        log.warning("%s responded; the predictions were not checked, since no container runs here", deployment.name)
        return text
    try:
        probabilities = [float(answer["probability"]) for answer in json.loads(text)["predictions"]]
    except (ValueError, LookupError, TypeError) as error:
        raise EndpointError(f"{deployment.name} answered {text[:200]!r} instead of predictions ({error})") from error
    if len(probabilities) != len(expected):
        raise EndpointError(f"{deployment.name} returned {len(probabilities)} predictions for {len(expected)} requests")
    for request, probability in zip(expected, probabilities, strict=True):
        if abs(probability - request.probability) > TOLERANCE:
            raise EndpointError(
                f"{deployment.name}: {request.row[spec.title]!r} got {probability:.6f}, but"
                f" {request.probability:.6f} when the model was trained; does the image have the same libraries?"
            )
    return text


def remove(sagemaker: Any, name: str) -> list[str]:
    """Delete endpoint, configuration and model of a deployment, if they exist; return what was deleted."""
    steps = (
        ("endpoint", sagemaker.list_endpoints, "Endpoints", "EndpointName", sagemaker.delete_endpoint),
        (
            "configuration",
            sagemaker.list_endpoint_configs,
            "EndpointConfigs",
            "EndpointConfigName",
            sagemaker.delete_endpoint_config,
        ),
        ("model", sagemaker.list_models, "Models", "ModelName", sagemaker.delete_model),
    )
    removed = []
    with translate_errors(f"remove {name}"):
        for what, find, key, field, delete in steps:
            if any(item[field] == name for item in find(NameContains=name)[key]):
                delete(**{field: name})
                removed.append(what)
    log.info("%s: removed %s", name, ", ".join(removed) or "nothing")
    return removed
