"""How a scenario is declared: a named way to misbehave, chosen by a test through the control endpoints.

A scenario is an async function of a :class:`Call` whose keyword-only parameters are the options that a test may set; it
returns the answer as an ASGI application, such as a Response. ``@mutation`` declares one that rewrites the JSON of the
genuine answer.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any

from starlette.responses import Response

from devstack.upstreams.answers import json_answer
from include.core.replay import HEADER

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.types import ASGIApp, Message

Json = Any
Play = Callable[..., "Coroutine[Any, Any, ASGIApp]"]


class OptionError(ValueError):
    """An option that a scenario doesn't have, or of another type; the text lists what is allowed."""


REGISTRY: dict[str, Scenario] = {}


@dataclass(frozen=True)
class Call:
    """One request that a scenario answers; :meth:`answer` gives what the server would have said."""

    request: Request
    app: ASGIApp

    async def answer(self) -> Response:
        """Let the genuine endpoint answer, and return its whole answer unsent."""
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
        """Return the JSON object that lists it."""
        return {"what": inspect.getdoc(self.play), "options": self.options}

    def check(self, options: dict[str, object]) -> None:
        """Check options that a test gave.

        Raises:
            OptionError: if one is unknown or of another type than its default; the message lists what is allowed.
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
    options = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    REGISTRY[name] = Scenario(name, play, options)
    return play


def mutation(change: Callable[..., Json]) -> Play:
    """Register a change of the genuine answer's JSON under its own name; an error answer passes unchanged."""

    @wraps(change)
    async def play(call: Call, **options: object) -> Response:
        answer = await call.answer()
        if answer.status_code >= 400:
            return answer
        kept = {HEADER: answer.headers[HEADER]} if HEADER in answer.headers else {}
        return json_answer(change(json.loads(bytes(answer.body)), **options), answer.status_code, kept)

    return scenario(play)
