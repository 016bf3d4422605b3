"""The application: every sample API under its real path, ``/about``, ``/health`` and the control endpoints."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.routing import Route

from devstack.upstreams import apis
from devstack.upstreams.answers import json_response, source_error
from devstack.upstreams.control import Control, ControlMiddleware
from devstack.upstreams.records import DERIVED, Dataset
from include.core.collect import collect_constants

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

APIS = [import_module(module.name) for module in iter_modules(apis.__path__, f"{apis.__name__}.")]
DATASETS = collect_constants(Dataset, APIS)


async def about(_request: Request) -> Response:
    """``GET /about``: the recorded data sets, their days and licences."""
    return json_response(
        {
            "what": "Sample upstream APIs. Every answer comes from recorded data; nothing is live.",
            "first_day": min(dataset.first_day for dataset in DATASETS),
            "last_day": max(dataset.last_day for dataset in DATASETS),
            "datasets": [dataset.describe() for dataset in DATASETS],
            "derived": DERIVED,
            "more": "include/data/README.md",
        }
    )


async def health(_request: Request) -> Response:
    """``GET /health``: 200 once the server is up."""
    return json_response({"status": "ok"})


async def handle_http_error(_request: Request, error: Exception) -> Response:
    """Return the error for an unknown path or method."""
    status, reason = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, str(error))
    return json_response(source_error(f"{reason}; GET /about lists the APIs", status), status)


def create_app(s3: str | None = None) -> Starlette:
    """Return a new application without rules, requests or jobs.

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
        exception_handlers={HTTPException: handle_http_error},
    )
