"""The application: every sample API under its real path, and what is said about them."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from devstack.upstreams import apis
from devstack.upstreams.answers import json_answer, source_error
from devstack.upstreams.control import Control, ControlMiddleware
from devstack.upstreams.records import DERIVED, Dataset
from include.core.registry import declared

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

APIS = [import_module(found.name) for found in iter_modules(apis.__path__, f"{apis.__name__}.")]
DATASETS = declared(Dataset, APIS)


async def about(_request: Request) -> Response:
    """``GET /about``: what is served here, from which days, under which licence."""
    return json_answer(
        {
            "what": "Sample upstream APIs. Every answer comes from recorded data; nothing is live.",
            "first_day": min(each.first_day for each in DATASETS),
            "last_day": max(each.last_day for each in DATASETS),
            "datasets": [each.describe() for each in DATASETS],
            "derived": DERIVED,
            "more": "include/data/README.md",
        }
    )


async def health(_request: Request) -> Response:
    """``GET /health``: answers as soon as the server does."""
    return json_answer({"status": "ok"})


async def refused(_request: Request, error: Exception) -> Response:
    """Answer for a path or method that no API here has."""
    status, reason = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    return json_answer(source_error(f"{reason}; GET /about lists what is served", status), status)


def create_app(s3: str | None = None) -> Starlette:
    """Return a fresh application: no rules, no requests, no jobs, no calls counted.

    ``s3`` is the URL of the S3 server that the tills deliver to.
    """
    control = Control()
    return Starlette(
        routes=[
            Route("/about", about),
            Route("/health", health),
            *(route for api in APIS for route in api.routes(s3)),
            Route("/control", control.reset, methods=["DELETE"]),
            Route("/control/scenario", control.put, methods=["PUT"]),
            Route("/control/scenario/{id:int}", control.remove, methods=["DELETE"]),
            Route("/control/scenarios", control.list),
            Route("/control/requests", control.requests),
        ],
        middleware=[Middleware(ControlMiddleware, control=control)],
        exception_handlers={HTTPException: refused},
    )
