"""Test client that makes the sample upstreams misbehave and lists the requests that they served."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import requests

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from devstack.upstreams.served import ServedRequest

TIMEOUT = 10.0


class ControlError(RuntimeError):
    """The control endpoint refused; its message lists the allowed values."""


class Rule:
    """An active scenario; leaving its ``with`` block removes it."""

    def __init__(self, control: Control, number: int) -> None:
        self._control = control
        self._number = number

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def played(self) -> int:
        """How often the scenario was played.

        Raises:
            ControlError: if it was removed.
        """
        for rule in self._control.scenarios()["active"]:
            if rule["id"] == self._number:
                return int(rule["played"])
        raise ControlError(f"rule {self._number} was removed")

    def remove(self) -> None:
        """Remove the rule.

        Raises:
            ControlError: if it was already removed.
        """
        self._control.call("DELETE", f"/control/scenario/{self._number}")


class Control:
    """The control endpoints of the sample upstreams at ``base_url``."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url.rstrip("/")

    def scenario(
        self,
        name: str,
        *,
        path: str | None = None,
        match: Mapping[str, object] | None = None,
        times: int | None = None,
        **options: object,
    ) -> Rule:
        """Activate a scenario for ``path`` and query parameters equal to ``match``, at most ``times`` times.

        Raises:
            ControlError: if the name, a field or an option is unknown; the message lists the allowed values.
        """
        body = {"name": name, "path": path, "match": dict(match or {}), "times": times, "options": options}
        return Rule(self, self.call("PUT", "/control/scenario", body)["id"])

    def scenarios(self) -> dict[str, Any]:
        """Return ``available`` (each scenario's description and options) and ``active`` (the active rules)."""
        return self.call("GET", "/control/scenarios")

    def requests(self, *, path: str | None = None, scenario: str | None = None) -> list[ServedRequest]:
        """Return the requests served since the last reset, oldest first; keys are redacted."""
        wanted = {name: value for name, value in (("path", path), ("scenario", scenario)) if value is not None}
        served: list[ServedRequest] = self.call("GET", "/control/requests", query=wanted)["data"]
        return served

    def reset(self) -> None:
        """Remove every rule and every recorded request."""
        self.call("DELETE", "/control")

    def call(
        self, method: str, path: str, body: object = None, query: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """Call a control endpoint and return its JSON.

        Raises:
            ControlError: if it responds with an error.
            requests.RequestException: if it can't be reached.
        """
        response = requests.request(method, self._base_url + path, json=body, params=query, timeout=TIMEOUT)
        content: dict[str, Any] = response.json()
        if not response.ok:
            raise ControlError(f"{method} {path}: {content['error']['message']}")
        return content
