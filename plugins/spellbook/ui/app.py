"""Builds the web application at its first request, so that other Airflow processes don't import FastAPI for it."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = "/data-health"
POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'self'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class LazyApp:
    """ASGI application that is built when the first request arrives."""

    def __init__(self) -> None:
        self._app: ASGIApp | None = None
        self._building = Lock()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        with self._building:
            app = self._app = self._app or build()
        await app(scope, receive, send)


def build() -> FastAPI:
    """Return the application: who may read assets and DAGs may read its pages."""
    from airflow.api_fastapi.core_api.security import requires_access_asset, requires_access_dag
    from fastapi import Depends, FastAPI

    from spellbook.ui.pages import router

    app = FastAPI(
        title="Data health",
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        dependencies=[Depends(requires_access_asset("GET")), Depends(requires_access_dag("GET"))],
    )
    app.include_router(router)
    return app
