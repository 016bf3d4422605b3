"""Declaration of scenarios: named faults that a test activates through the control endpoints.

A scenario is an async function of a :class:`Call` whose keyword-only parameters are its options; it returns the
response as an ASGI application. ``@mutation`` declares one that rewrites the JSON of the genuine response.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from devstack.upstreams.answers import json_response
from include.core.replay import HEADER

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message

Json = Any
Play = Callable[..., "Coroutine[Any, Any, ASGIApp]"]


class OptionError(ValueError):
    """An unknown option of a scenario, or one of the wrong type; the message lists the allowed ones."""


REGISTRY: dict[str, Scenario] = {}


@dataclass(frozen=True)
class Call:
    """One request that a scenario handles; :meth:`respond` returns the genuine response."""

    request: Request
    app: ASGIApp

    async def respond(self) -> Response:
        """Call the genuine endpoint, and return its complete response without sending it."""
        status, headers, body = 0, {}, b""

        async def keep(message: Message) -> None:
            nonlocal status, headers, body
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in message["headers"]}
            else:
                body += message.get("body", b"")

        await self.app(self.request.scope, self.request.receive, keep)
        return Response(body, status, headers)


@dataclass(frozen=True)
class Scenario:
    """A registered scenario; ``options`` are its parameters with their defaults."""

    name: str
    play: Play
    options: dict[str, object]

    def describe(self) -> dict[str, object]:
        """Return the scenario as a JSON object."""
        return {"what": inspect.getdoc(self.play), "options": self.options}

    def check(self, options: dict[str, object]) -> None:
        """Validate the options that a test has set.

        Raises:
            OptionError: if an option is unknown or has the wrong type; the message lists the allowed ones.
        """
        for name, value in options.items():
            allowed = ", ".join(f"{option}={default!r}" for option, default in self.options.items()) or "none"
            if name not in self.options:
                raise OptionError(f"scenario {self.name} has no option {name}; allowed: {allowed}")
            default = self.options[name]
            kind = (int, float) if isinstance(default, float) else type(default)
            if isinstance(value, bool) or not isinstance(value, kind):
                raise OptionError(
                    f"option {name}={value!r} of scenario {self.name} has the wrong type; allowed: {allowed}"
                )


def scenario(play: Play) -> Play:
    """Register ``play`` under its own name."""
    name = play.__name__
    parameters = inspect.signature(play).parameters.values()
    options = {item.name: item.default for item in parameters if item.kind is item.KEYWORD_ONLY}
    REGISTRY[name] = Scenario(name, play, options)
    return play


def mutation(change: Callable[..., Json]) -> Play:
    """Register a change of the genuine response's JSON under its own name; error responses pass unchanged."""

    @wraps(change)
    async def play(call: Call, **options: object) -> Response:
        response = await call.respond()
        if response.status_code >= 400:
            return response
        headers = {HEADER: response.headers[HEADER]} if HEADER in response.headers else {}
        return json_response(change(json.loads(bytes(response.body)), **options), response.status_code, headers)

    return scenario(play)
