"""Reads the JSON of a request, and says what is wrong with one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Never

from fastapi import HTTPException, Request, status
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from include.core import exact_json

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence

    from fastapi import Response
    from fastapi.exceptions import RequestValidationError

SHOWN_ERRORS = 5
INVALID = status.HTTP_422_UNPROCESSABLE_CONTENT


class StrictRequest(Request):
    """A request whose JSON has only what every part of the server, and PostgreSQL, can store."""

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            HTTPException: 422 if it isn't JSON in UTF-8 as RFC 8259 defines it, so without ``NaN`` and infinity, or has
                a number out of range, a NUL, half a surrogate pair, a name twice in one object, or too many levels.
        """
        try:
            text = (await self.body()).decode()
            content = exact_json.loads(text, _refuse_constant, _finite, _unique)
            if "\\u" in text:  # JSON has NUL and half a surrogate pair only as escapes
                _check_texts(content)
        except UnicodeDecodeError as error:
            raise HTTPException(INVALID, f"the body isn't UTF-8: byte {error.start}") from None
        except ValueError as error:
            raise HTTPException(INVALID, f"the body isn't valid JSON: {error}") from None
        return content


class StrictRoute(APIRoute):
    """A route whose requests are :class:`StrictRequest`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a request."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(StrictRequest(request.scope, request.receive))

        return handle_strictly


def describe(_: Request, error: RequestValidationError) -> JSONResponse:
    """Return the response to an invalid request: its first errors, each with field, rule and the kind of value.

    No part of the request is repeated: it may be personal, or markup.
    """
    problems = error.errors()
    details = [_describe(problem) for problem in problems[:SHOWN_ERRORS]]
    if len(problems) > SHOWN_ERRORS:
        details.append(f"and {len(problems) - SHOWN_ERRORS} more")
    return JSONResponse({"detail": "; ".join(details)}, INVALID)


def _describe(problem: dict[str, Any]) -> str:
    path = problem["loc"][1:]
    if problem["type"] == "extra_forbidden":  # the last name is the sender's own
        *path, name = path
        return f"{_field(path)}: unknown fields aren't allowed (got a name of {len(str(name))} characters)"
    got = "" if problem["type"] == "missing" else f" (got {_kind(problem['input'])})"
    return f"{_field(path)}: {problem['msg']}{got}"


def _field(path: Sequence[object]) -> str:
    return ".".join(map(str, path)) or "the body"


def _kind(value: Any) -> str:
    """Return what a value is, without the value."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, str):
        return f"a text of {len(value)} characters"
    if isinstance(value, list):
        return f"a list of {len(value)} values"
    if isinstance(value, dict):
        return f"an object of {len(value)} fields"
    return "a whole number" if isinstance(value, int) else "a number"


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(members)
    if len(content) < len(members):
        raise ValueError("an object has the same name twice")
    return content


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} isn't a JSON number; send null for a missing value")


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise ValueError(f"a number of {len(literal)} characters is out of range")
    return number


def _check_texts(value: Any) -> None:
    """Check all texts, including names, of a value of a few levels."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(f"a text of {len(value)} characters contains NUL")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"a text of {len(value)} characters contains half a surrogate pair") from None
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_texts(name)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)
