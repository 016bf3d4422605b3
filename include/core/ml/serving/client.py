"""A client of the model server, for deployments that want to see their model answer."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import requests

from include.core.ml.errors import ServingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from include.core.ml.spec import ModelSpec

TIMEOUT_SECONDS = 10
TOLERANCE = 1e-6


class ModelServer:
    """The server of a spec's model at ``url``. Every method raises :class:`ServingError` if the answer is wrong."""

    def __init__(self, url: str, spec: ModelSpec) -> None:
        self.url, self._spec = url.rstrip("/"), spec
        self._session = requests.Session()

    def health(self) -> dict[str, Any]:
        """Return what the server says of itself, see :class:`include.core.ml.serving.app.Health`."""
        return self._call("GET", "/health")

    def predict(self, rows: Sequence[dict[str, Any]], purpose: str = "live") -> dict[str, Any]:
        """Return the answer to raw rows, see :class:`include.core.ml.serving.app.Schemas`."""
        return self._call("POST", "/predictions", {self._spec.rows_name: list(rows)}, {"X-Purpose": purpose})

    def replay(self, rows: Sequence[dict[str, Any]], served_at: datetime) -> dict[str, Any]:
        """Return the answer to sample traffic, which is kept as such and as if it had been served at a past moment."""
        headers = {"X-Purpose": "replay", "X-Served-At": served_at.isoformat()}
        return self._call("POST", "/predictions", {self._spec.rows_name: list(rows)}, headers)

    def wait_for(self, version: int, seconds: float) -> None:
        """Return once the server serves ``version``."""
        deadline = time.monotonic() + seconds
        while (health := self.health())["version"] != version:
            if time.monotonic() > deadline:
                raise ServingError(
                    f"{self.url} still serves version {health['version']}, not {version}, after {seconds:.0f} s:"
                    f" {health['model_error'] or 'it gives no reason'}"
                )
            time.sleep(0.2)

    def verify(self, version: int, rows: Sequence[dict[str, Any]], expected: Sequence[float]) -> dict[str, Any]:
        """Have ``version`` answer real requests with the probabilities that it gave when it was trained.

        Returns the server's answer.
        """
        answer = self.predict(rows, purpose="check")
        if answer["version"] != version:
            raise ServingError(f"{self.url} answered with version {answer['version']}, not {version}")
        for row, prediction, probability in zip(rows, answer["predictions"], expected, strict=True):
            if abs(prediction["probability"] - probability) > TOLERANCE:
                raise ServingError(
                    f"{self.url}, version {version}: {row[self._spec.title]!r} got {prediction['probability']:.6f}, but"
                    f" {probability:.6f} when the model was trained; do server and workers have the same libraries?"
                )
        return answer

    def _call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            answer = self._session.request(method, self.url + path, json=body, headers=headers, timeout=TIMEOUT_SECONDS)
        except requests.RequestException as error:
            raise ServingError(f"the model server at {self.url} doesn't answer: {error}") from error
        if not answer.ok:
            raise ServingError(f"{method} {self.url}{path} was answered {answer.status_code}: {answer.text[:500]}")
        found: dict[str, Any] = answer.json()
        return found
