"""The control endpoints: select which scenario is played for which request, and list the requests.

``PUT /control/scenario`` takes ``{"name": "rate_limited", "path": "/v1/archive", "match": {"start_date": "2024-06-01"},
"times": 2, "options": {"retry_after": 1}}``; only ``name`` is required. Rules are tried in the order of their creation;
the first that matches and isn't used up is played. ``match`` compares query parameters, so tests with different
requests can run in parallel.
"""

from __future__ import annotations

import itertools
import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from starlette.requests import Request

from devstack.upstreams import faults, mutations
from devstack.upstreams.answers import json_response, source_error
from devstack.upstreams.scenarios import REGISTRY, Call
from devstack.upstreams.served import ServedRequest

if TYPE_CHECKING:
    from starlette.responses import Response
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SCENARIO_MODULES = (faults, mutations)
"""Imported to register their scenarios."""

SAMPLE_HEADER = (b"x-sample-data", b"recorded; see /about")
SECRET_PARAMETERS = frozenset({"appid", "apikey", "api_key", "key", "token"})
REDACTED = "***"
KEPT_REQUESTS = 20_000
UNRECORDED_PREFIXES = ("/control", "/about", "/health")


class InvalidRuleError(ValueError):
    """An invalid rule; the message names the field and the allowed values."""


@dataclass
class Rule:
    """A scenario and the requests that it applies to; ``times`` None means until it is removed."""

    number: int
    name: str
    path: str | None = None
    match: dict[str, str] = field(default_factory=dict)
    times: int | None = None
    options: dict[str, object] = field(default_factory=dict)
    played: int = 0

    def applies(self, request: Request) -> bool:
        """Tell whether the rule applies to ``request``."""
        return (
            (self.times is None or self.played < self.times)
            and self.path in {None, request.url.path}
            and all(request.query_params.get(name) == value for name, value in self.match.items())
        )

    def describe(self) -> dict[str, object]:
        """Return the rule as a JSON object."""
        return {
            "id": self.number,
            "name": self.name,
            "path": self.path,
            "match": {name: REDACTED if name in SECRET_PARAMETERS else value for name, value in self.match.items()},
            "times": self.times,
            "options": self.options,
            "played": self.played,
        }


class Control:
    """The active rules and the served requests; its methods are the endpoints under ``/control``."""

    def __init__(self) -> None:
        self._rules: dict[int, Rule] = {}
        self._served: deque[ServedRequest] = deque(maxlen=KEPT_REQUESTS)
        self._rule_numbers, self._request_numbers = itertools.count(1), itertools.count(1)

    async def put(self, request: Request) -> Response:
        """``PUT /control/scenario``: return the rule with its id; 422 lists the allowed values."""
        try:
            rule = _rule(json.loads(await request.body()), next(self._rule_numbers))
        except ValueError as error:
            return json_response(source_error(str(error), 422), 422)
        self._rules[rule.number] = rule
        return json_response(rule.describe())

    async def list(self, _request: Request) -> Response:
        """``GET /control/scenarios``: return every scenario with its options, and the active rules."""
        return json_response(
            {
                "available": {name: scenario.describe() for name, scenario in sorted(REGISTRY.items())},
                "active": [rule.describe() for rule in self._rules.values()],
            }
        )

    async def remove(self, request: Request) -> Response:
        """``DELETE /control/scenario/{id}``: return the removed rule."""
        number = request.path_params["id"]
        rule = self._rules.pop(number, None)
        if rule is None:
            return json_response(source_error(f"no rule has the id {number}", 404), 404)
        return json_response(rule.describe())

    async def reset(self, _request: Request) -> Response:
        """``DELETE /control``: remove every rule and request; the call counts of API keys are kept."""
        self._rules.clear()
        self._served.clear()
        return json_response({"active": []})

    async def requests(self, request: Request) -> Response:
        """``GET /control/requests``: return the served requests, oldest first; filters: ``path`` and ``scenario``."""
        filters = request.query_params
        return json_response(
            {
                "data": [
                    served
                    for served in self._served
                    if filters.get("path") in {None, served["path"]}
                    and filters.get("scenario") in {None, served["scenario"]}
                ]
            }
        )

    def serve(self, request: Request) -> tuple[ServedRequest, Rule | None]:
        """Record ``request`` and return the record with the rule that applies to it, if any."""
        rule = next((rule for rule in self._rules.values() if rule.applies(request)), None)
        if rule:
            rule.played += 1
        served = ServedRequest(
            number=next(self._request_numbers),
            time=datetime.now(UTC).isoformat(),
            method=request.method,
            path=request.url.path,
            query={
                name: REDACTED if name in SECRET_PARAMETERS else value for name, value in request.query_params.items()
            },
            status=None,
            scenario=rule.name if rule else None,
        )
        self._served.append(served)
        return served, rule


class ControlMiddleware:
    """Record each request, play the scenario that applies to it, and mark each response as sample data."""

    def __init__(self, app: ASGIApp, control: Control) -> None:
        self._app = app
        self._control = control

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        served, rule = None, None
        if not request.url.path.startswith(UNRECORDED_PREFIXES):
            served, rule = self._control.serve(request)

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], SAMPLE_HEADER]
                if served:
                    served["status"] = message["status"]
            await send(message)

        responder = self._app
        if rule:
            responder = await REGISTRY[rule.name].play(Call(request, self._app), **rule.options)
        await responder(scope, receive, send_marked)


def _rule(body: object, number: int) -> Rule:
    if not isinstance(body, dict):
        raise InvalidRuleError('the body must be an object such as {"name": "server_error", "path": "/v1/archive"}')
    allowed = ("name", "path", "match", "times", "options")
    unknown = sorted(set(body) - set(allowed))
    if unknown:
        raise InvalidRuleError(f"unknown field {', '.join(unknown)}; allowed: {', '.join(allowed)}")
    name, path, times = body.get("name"), body.get("path"), body.get("times")
    match, options = body.get("match") or {}, body.get("options") or {}
    if name not in REGISTRY:
        raise InvalidRuleError(f"name={name!r} is not a scenario; allowed: {', '.join(sorted(REGISTRY))}")
    if path is not None and not (isinstance(path, str) and path.startswith("/")):
        raise InvalidRuleError(f"path={path!r}: allowed: a path such as /v1/archive, or null for every path")
    if times is not None and (isinstance(times, bool) or not isinstance(times, int) or times < 1):
        raise InvalidRuleError(f"times={times!r}: allowed: 1 or more, or null for until it is removed")
    for field_name, value in (("match", match), ("options", options)):
        if not isinstance(value, dict):
            raise InvalidRuleError(f"{field_name}={value!r}: allowed: an object")
    REGISTRY[name].check(options)
    return Rule(number, name, path, {key: str(value) for key, value in match.items()}, times, options)
