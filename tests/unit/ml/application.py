"""The model server's application without sockets: no registry, and a warehouse that is down."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from include.core.ml.serving.app import create_app
from include.core.ml.serving.challenger import Challenger
from include.core.ml.serving.follower import Served
from include.core.ml.serving.spool import Spool
from include.core.ml.spec import ModelSpec


class Fixed:
    """A follower that always has the same model."""

    error, is_refused = None, False

    def __init__(self, model: Any, version: int) -> None:
        self.serve(model, version)

    def serve(self, model: Any, version: int) -> None:
        """Serve this model from now on."""
        self.current = Served(version, "x", model)

    def start(self) -> None:
        """Nothing to follow."""

    stop = start


@dataclass
class Application:
    """A running application."""

    app: FastAPI
    loop: asyncio.AbstractEventLoop
    spool: Spool
    follower: Any

    def wait_for_rows(self, count: int) -> None:
        """Wait until this many rows wait for their prediction, or are being predicted."""
        deadline = time.monotonic() + 60
        while self.app.state.predictor.waiting < count:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def send(self, method: str, path: str, body: Any = None, **options: Any) -> Future[httpx.Response]:
        """Start a request."""

        async def call() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
                return await client.request(method, path, json=body, timeout=60, **options)

        return asyncio.run_coroutine_threadsafe(call(), self.loop)

    def request(self, method: str, path: str, body: Any = None, **options: Any) -> httpx.Response:
        """Return the response to a request."""
        return self.send(method, path, body, **options).result(60)


def no_warehouse() -> str:
    """Fail as a warehouse that is down."""
    raise OSError("the warehouse is down")


@contextmanager
def serving(
    spec: ModelSpec, model: Any, folder: Path, version: int = 4, challenger: Challenger | None = None
) -> Iterator[Application]:
    """Serve a model until the end of the block."""
    follower: Any = Fixed(model, version)
    spool = Spool(folder / "spool.sqlite", no_warehouse)
    app, loop = create_app(spec, spec.name, follower, spool, challenger), asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    context = app.router.lifespan_context(app)
    asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(60)
    try:
        yield Application(app, loop, spool, follower)
    finally:
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()
