"""Bounds what users may take of the API server at a time, so that the requests of running tasks go first.

A request of a user holds up to three of the process's database connections. Without a limit, a burst takes them all,
and each request waits for the connections of the others until SQLAlchemy gives up with status 500; meanwhile tasks
can't report that they are alive.
"""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anyio import Semaphore
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

AT_ONCE = 4  # with 3 connections each, two of them held while waiting for the third: less than a pool of 10
WAITING = 1000
UNLIMITED = ("/execution/", "/api/v2/monitor/health", "/api/v2/version")
UNAVAILABLE = 503


class RequestLimit:
    """ASGI middleware: four requests of users run at a time, the others wait in order of arrival.

    Beyond a thousand waiting requests, more get status 503. Requests of tasks and health checks don't count, nor
    does a response that is being sent, such as a log that is followed.
    """

    def __init__(self, app: ASGIApp, at_once: int = AT_ONCE, waiting: int = WAITING) -> None:
        self._app = app
        self._at_once, self._waiting = at_once, waiting
        self._running: Semaphore | None = None  # needs a running event loop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on the request when it is its turn."""
        path = scope["path"].removeprefix(scope.get("root_path", "")) if scope["type"] == "http" else ""
        if not path or path.startswith(UNLIMITED):
            await self._app(scope, receive, send)
            return
        from anyio import Semaphore

        running = self._running = self._running or Semaphore(self._at_once)
        if running.statistics().tasks_waiting >= self._waiting:
            from starlette.responses import JSONResponse

            detail = {"detail": f"{self._waiting} requests are waiting; try again later"}
            await JSONResponse(detail, UNAVAILABLE, {"Retry-After": "10"})(scope, receive, send)
            return
        await running.acquire()
        with ExitStack() as turn:
            turn.callback(running.release)

            async def send_and_release(message: Message) -> None:
                turn.close()
                await send(message)

            await self._app(scope, receive, send_and_release)
