"""Several models behind one address."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.routing import Mount

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from fastapi import FastAPI


def several(apps: Mapping[str, FastAPI]) -> Starlette:
    """Return the application that serves each model below its path, and the first one also without it.

    There, ``/metrics`` shows all of them, and ``/health`` which others aren't served.

    Args:
        apps: the application of each model, see :mod:`include.core.ml.serving.app`, by its path.
    """

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with AsyncExitStack() as started:
            for app in apps.values():
                await started.enter_async_context(app.router.lifespan_context(app))
            yield

    first, *_ = apps.values()
    first.state.health = [check for app in apps.values() for check in app.state.health]
    routes = [Mount(path, app) for path, app in apps.items()]
    return Starlette(routes=[*routes, Mount("", first)], lifespan=lifespan)
