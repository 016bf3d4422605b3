"""A burst of users' requests doesn't hold up tasks' requests, and none gets an error."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

import spellbook_plugin
from spellbook import request_limit
from spellbook.request_limit import RequestLimit

USER, TASK, LOG = "/api/v2/dags", "/execution/task-instances/1/heartbeat", "/log"
AT_ONCE, WAITING = 2, 5


@dataclass
class Api:
    """An API server whose requests last until ``end`` is set."""

    end: asyncio.Event = field(default_factory=asyncio.Event)
    running: int = 0
    most: int = 0

    def __post_init__(self) -> None:
        routes = [Route(LOG, self.follow), Route("/{path:path}", self.hold)]
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(RequestLimit(Starlette(routes=routes), AT_ONCE, WAITING)),
            base_url="http://airflow",
        )

    async def hold(self, request: Request) -> Response:
        if request.query_params.get("fail"):
            raise LookupError("as asked")
        self.running += 1
        self.most = max(self.most, self.running)
        if request.url.path == USER:
            await self.end.wait()
        self.running -= 1
        return Response("done")

    async def follow(self, _: Request) -> Response:
        async def lines() -> AsyncIterator[str]:
            yield "started"
            await self.end.wait()

        return StreamingResponse(lines())

    def start(self, path: str, number: int) -> list[asyncio.Task[httpx.Response]]:
        return [asyncio.create_task(self.client.get(path)) for _ in range(number)]


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(50):
        await asyncio.sleep(0)


async def _runs_two_at_a_time(api: Api) -> None:
    requests = api.start(USER, AT_ONCE + WAITING)
    await settle()
    assert api.running == AT_ONCE
    api.end.set()
    assert [response.status_code for response in await asyncio.gather(*requests)] == [200] * (AT_ONCE + WAITING)
    assert api.most == AT_ONCE


async def _tasks_go_first(api: Api) -> None:
    api.start(USER, AT_ONCE + WAITING)
    await settle()
    for path in (TASK, "/api/v2/monitor/health"):
        assert (await api.client.get(path)).text == "done"
    api.end.set()


async def _refuses_what_exceeds_the_queue(api: Api) -> None:
    api.start(USER, AT_ONCE + WAITING)
    await settle()
    refused = await api.client.get(USER)
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "10")
    assert "5 requests are waiting" in refused.text
    api.end.set()


async def _a_response_being_sent_does_not_count(api: Api) -> None:
    api.start(LOG, AT_ONCE + 1)
    await settle()
    api.start(USER, 1)
    await settle()
    assert api.running == 1
    api.end.set()


async def _a_failed_request_makes_room(api: Api) -> None:
    for _ in range(AT_ONCE + 1):
        with pytest.raises(LookupError):
            await api.client.get(USER, params={"fail": "1"})
    api.end.set()
    assert (await api.client.get(USER)).status_code == 200


async def _a_request_that_arrives_slowly_takes_no_turn(api: Api) -> None:
    app = Starlette(routes=[Route("/{path:path}", api.hold, methods=["GET", "POST"])])
    for item in spellbook_plugin.MIDDLEWARES:
        app.add_middleware(item["middleware"])

    async def receive() -> dict[str, object]:
        await api.end.wait()
        return {"type": "http.disconnect"}

    slow: dict[str, object] = {
        "type": "http",
        "method": "POST",
        "path": USER,
        "headers": [],
        "query_string": b"",
        "client": None,
    }
    requests = [asyncio.create_task(app(slow | {"app": app}, receive, _ignored)) for _ in range(request_limit.AT_ONCE)]
    await settle()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://airflow") as client:
        assert (await client.get("/api/v2/pools")).text == "done"
    api.end.set()
    await asyncio.gather(*requests)


async def _ignored(_: object) -> None:
    pass


CASES = [
    _a_request_that_arrives_slowly_takes_no_turn,
    _runs_two_at_a_time,
    _tasks_go_first,
    _refuses_what_exceeds_the_queue,
    _a_response_being_sent_does_not_count,
    _a_failed_request_makes_room,
]


@pytest.mark.parametrize("case", CASES)
def test_limit(case: Callable[[Api], Awaitable[None]]) -> None:
    async def run() -> None:
        await asyncio.wait_for(case(Api()), timeout=60)

    asyncio.run(run())
