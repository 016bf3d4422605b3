"""A client of the model server."""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from include.core.errors import UpstreamError
from include.core.http.client import HttpApi, Limits
from include.core.http.egress import Egress
from include.core.http.transport import run
from include.core.ml.errors import ServingError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from include.core.ml.spec import ModelSpec

LIMITS = Limits(deadline=10)
TOLERANCE = 1e-6


class ModelServer:
    """The server of a spec's model at ``url``. Every method raises :class:`ServingError` on a wrong response."""

    def __init__(self, url: str, spec: ModelSpec) -> None:
        self.url, self._spec = url.rstrip("/") + spec.path, spec
        self._api = HttpApi("the model server", Egress.internal(url), limits=LIMITS)

    def health(self) -> dict[str, Any]:
        """Return the server's state, see :class:`include.core.ml.serving.health.Health`."""
        return self._call("GET", "/health")

    def predict(self, rows: Sequence[dict[str, Any]], purpose: str = "live") -> dict[str, Any]:
        """Return the predictions for raw rows, see :class:`include.core.ml.serving.app.Schemas`."""
        return self._call("POST", "/predictions", {self._spec.rows_name: list(rows)}, {"X-Purpose": purpose})

    def replay(self, rows: Sequence[dict[str, Any]], served_at: datetime) -> dict[str, Any]:
        """Return the predictions for sample traffic, which are logged as replayed, with a past time of serving."""
        headers = {"X-Purpose": "replay", "X-Served-At": served_at.isoformat()}
        return self._call("POST", "/predictions", {self._spec.rows_name: list(rows)}, headers)

    def wait_for(self, version: int, seconds: float) -> None:
        """Wait until the server serves ``version``."""
        deadline = time.monotonic() + seconds
        while (health := self.health())["version"] != version:
            if time.monotonic() > deadline:
                raise ServingError(
                    f"{self.url} still serves version {health['version']}, not {version}, after {seconds:.0f} s:"
                    f" {health['model_error'] or 'no reason given'}"
                )
            time.sleep(0.2)

    def verify(self, version: int, rows: Sequence[dict[str, Any]], expected: Sequence[float]) -> dict[str, Any]:
        """Check that the server returns the expected probabilities of ``version`` for real requests.

        Returns the server's response.
        """
        response = self.predict(rows, purpose="check")
        if response["version"] != version:
            raise ServingError(f"{self.url} answered with version {response['version']}, not {version}")
        for row, prediction, probability in zip(rows, response["predictions"], expected, strict=True):
            if abs(prediction["probability"] - probability) > TOLERANCE:
                raise ServingError(
                    f"{self.url}, version {version}: {row[self._spec.title]!r} got {prediction['probability']:.6f}, but"
                    f" {probability:.6f} when the model was trained; do server and workers have the same libraries?"
                )
        return response

    def _call(self, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None) -> dict[str, Any]:
        try:
            response = run(partial(self._api.once, method, self.url + path, body=body, headers=headers))
        except UpstreamError as error:
            raise ServingError(str(error)) from error
        content: dict[str, Any] = json.loads(response.text)
        return content
