"""Reads champion and challenger from MLflow over HTTP: to import MLflow's client takes seconds and 70 MB of memory."""

from __future__ import annotations

import io
import json
from base64 import b64encode
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from include.core.http.client import HttpApi, Limits
from include.core.http.egress import Egress
from include.core.http.transport import run
from include.core.ml import artifact, checksums
from include.core.ml.errors import ArtifactError
from include.core.ml.registry import CHAMPION, MODEL, Loaded, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from include.core.ml.tracking import Server

API = "api/2.0/mlflow"
ARTIFACTS = "mlflow-artifacts:/"  # of a run whose files MLflow's server holds


class Champions:
    """The champions of a registered model; every method raises ``UpstreamError`` if MLflow doesn't respond.

    Attributes:
        alias: which version is meant.

    Args:
        server: the MLflow server; its user needs only to read.
        name: name of the model.
        warehouse: returns the URI of the warehouse with the checksums; called on each use.
    """

    alias = CHAMPION

    def __init__(self, server: Server, name: str, warehouse: Callable[[], str]) -> None:
        self.name = name
        self._url = server.url.rstrip("/")
        self._warehouse = warehouse
        limits = Limits(deadline=60, size=artifact.MAX_BYTES)
        self._api = HttpApi("MLflow", Egress.internal(server.url), limits=limits)
        login = b64encode(f"{server.login}:{server.password}".encode()).decode()
        self._headers = {"Authorization": f"Basic {login}"} if server.login else {}

    def aliased(self) -> Version | None:
        """Return the version that has the :attr:`alias`; ``None`` if none has."""
        found = self._get("registered-models/search", filter=f"name = '{self.name}'").get("registered_models", [])
        aliases = [alias for model in found for alias in model.get("aliases", [])]
        number = next((alias["version"] for alias in aliases if alias["alias"] == self.alias), None)
        if number is None:
            return None
        version = self._get("model-versions/get", name=self.name, version=number)["model_version"]
        return Version(int(number), version["run_id"], "", None)

    def load(self, version: Version, trusted: Sequence[str]) -> Loaded:
        """Load a version's model, which may contain the ``trusted`` types.

        Raises:
            ArtifactError: if its file isn't the one that was published, or isn't a model; nothing was loaded.
        """
        content, sha256 = self._file(version)
        name = f"{self.name} version {version.number}"
        return Loaded(artifact.load(content, sha256, trusted, name), content, sha256)

    def _file(self, version: Version) -> tuple[bytes, str]:
        """Return a version's model file, and the checksum that was recorded."""
        where = self._get("runs/get", run_id=version.run_id)["run"]["info"]["artifact_uri"]
        if not where.startswith(ARTIFACTS):
            raise ArtifactError(
                f"{self.name} version {version.number}: its files are at {where}; allowed: {ARTIFACTS}…"
            )
        path = quote(f"{where.removeprefix(ARTIFACTS).strip('/')}/{MODEL}")
        content = io.BytesIO()
        url = f"{self._url}/api/2.0/mlflow-artifacts/artifacts/{path}"
        run(partial(self._api.fetch, content, url, headers=self._headers))
        digest = artifact.digest(content.getvalue())
        return content.getvalue(), checksums.require(self._warehouse(), self.name, version.number, MODEL, digest)

    def _get(self, method: str, **parameters: str) -> dict[str, Any]:
        url = f"{self._url}/{API}/{method}"
        response = run(partial(self._api.once, "GET", url, parameters, headers=self._headers))
        content: dict[str, Any] = json.loads(response.text)
        return content
