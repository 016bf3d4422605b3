"""Reads the JSON of a request, and says what is wrong with one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Never

from fastapi import HTTPException, Request, status
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute

from include.core import exact_json

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from fastapi import Response
    from fastapi.exceptions import RequestValidationError

SHOWN_ERRORS = 5
SHOWN_CHARACTERS = 100
INVALID = status.HTTP_422_UNPROCESSABLE_CONTENT


class StrictRequest(Request):
    """A request whose JSON has only what every part of the server, and PostgreSQL, can store."""

    async def json(self) -> Any:
        """Return the parsed body.

        Raises:
            HTTPException: 422 if it isn't JSON in UTF-8 as RFC 8259 defines it, so without ``NaN`` and infinity, or has
                a number out of range, a NUL, half a surrogate pair, or too many levels.
        """
        try:
            content = exact_json.loads((await self.body()).decode(), _refuse_constant, _finite)
            _check_texts(content)
        except ValueError as error:
            raise HTTPException(INVALID, f"the body isn't valid JSON: {_cut(str(error))}") from error
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
    """Return the response to an invalid request: its first errors, each with field, value and what is allowed."""
    problems = error.errors()
    details = [_describe(problem) for problem in problems[:SHOWN_ERRORS]]
    if len(problems) > SHOWN_ERRORS:
        details.append(f"and {len(problems) - SHOWN_ERRORS} more")
    return JSONResponse({"detail": "; ".join(details)}, INVALID)


def _describe(problem: dict[str, Any]) -> str:
    field = ".".join(map(str, problem["loc"][1:])) or "the body"
    return f"{field}: {problem['msg']} (got {_cut(ascii(problem['input']))})"


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} isn't a JSON number; send null for a missing value")


def _finite(literal: str) -> float:
    number = float(literal)
    if math.isinf(number):
        raise ValueError(f"the number {_cut(literal)} is out of range")
    return number


def _check_texts(value: Any) -> None:
    """Check all texts, including names, of a value of a few levels."""
    if isinstance(value, str):
        if "\0" in value:
            raise ValueError(f"the text {_cut(ascii(value))} contains NUL")
        try:
            value.encode()
        except UnicodeEncodeError:
            raise ValueError(f"the text {_cut(ascii(value))} contains half a surrogate pair") from None
    elif isinstance(value, dict):
        for name, item in value.items():
            _check_texts(name)
            _check_texts(item)
    elif isinstance(value, list):
        for item in value:
            _check_texts(item)


def _cut(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
