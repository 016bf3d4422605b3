"""What the API server refuses before Airflow sees it: the response names field, value and what is allowed."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import anyio
import httpx
import pytest
from airflow.sdk.execution_time.comms import _RequestFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Message

from include.core.json_limits import DEEPEST, LARGEST, LARGEST_CONF, SMALLEST, problem_in
from spellbook import middleware
from spellbook.middleware import LARGEST_BODY, PARSED_AT_ONCE, GuardedRequests

RUNS = "/api/v2/dags/any/dagRuns"
RANGE = f"is out of range; allowed: {SMALLEST} to {LARGEST}"


async def echo(request: Request) -> Response:
    return Response(await request.body())


APP = GuardedRequests(Starlette(routes=[Route("/{path:path}", echo, methods=["GET", "POST", "PATCH"])]))


def send(body: bytes, path: str = RUNS, method: str = "POST", kind: str = "application/json") -> httpx.Response:
    async def request() -> httpx.Response:
        transport = httpx.ASGITransport(APP)
        async with httpx.AsyncClient(transport=transport, base_url="http://airflow") as client:
            headers = {"Content-Type": kind} if kind else {}
            return await client.request(method, path, content=body, headers=headers)

    return anyio.run(request)


def conf(value: str) -> str:
    return f'{{"conf": {{"a": {value}}}}}'


def nested(depth: int) -> str:
    return "[" * depth + "1" + "]" * depth


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (conf("18446744073709551616"), f"conf.a: 18446744073709551616 {RANGE}"),
        (conf("-9223372036854775809"), f"conf.a: -9223372036854775809 {RANGE}"),
        (conf('[1, {"b": 1e30}]'), f"conf.a[1].b: 1E+30 {RANGE}"),
        (conf("-1e19"), f"conf.a: -1E+19 {RANGE}"),
        (conf("1e400"), f"conf.a: 1E+400 {RANGE}"),
        (conf("NaN"), f"conf.a: nan {RANGE}"),
        ('{"dag_run_conf": {"a": Infinity}}', f"dag_run_conf.a: inf {RANGE}"),
        ('{"extra": {"a": -Infinity}}', f"extra.a: -inf {RANGE}"),
        (conf(f"1{'0' * 5000}"), f"conf.a: 1{'0' * 58}… {RANGE}"),
        ("36893488147419103232", f"the body: 36893488147419103232 {RANGE}"),
        (conf(r'"\ud800"'), "conf.a: the text contains a NUL character or a lone surrogate"),
        (conf(r'{"\u0000": 1}'), r"conf.a.\x00: in a name, the text contains a NUL character"),
        (conf(rf'{{"é\n{"x" * 999}": 1e99}}'), rf"conf.a.\xe9\n{'x' * 46}…: 1E+99 {RANGE}"),
        (conf(nested(DEEPEST)), f"nested more than {DEEPEST} levels deep"),
        (conf(nested(100_000)), "the JSON can't be read: it is nested more than 100 levels deep"),
        (conf("1e99999999999999999999"), "the JSON can't be read: the number 1e99999999999999999999 is out of range"),
        (conf(f'"{"x" * LARGEST_CONF}"'), f"conf: the request has {LARGEST_CONF + 19} bytes; allowed: {LARGEST_CONF}."),
    ],
    ids=range(17),
)
def test_what_would_stop_a_component_is_refused(body: str, problem: str) -> None:
    for path in (RUNS, "/api/v2/backfills", "/ui/x", "/execution/dag-runs/any/run"):
        response = send(body.encode(), path)
        assert response.status_code == 422
        assert problem in response.json()["detail"]
        assert len(response.json()["detail"]) < 300
    assert send(body.encode("utf-16"), method="PATCH").status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"username=a&password=%00",
        conf(f'[{SMALLEST}, {LARGEST}, 1.5, -1e18, 1e-300, true, null, "\\u00e9"]').encode(),
        conf(nested(DEEPEST - 2)).encode(),
        b'{"value": "%s"}' % (b"x" * (LARGEST_CONF + 1)),
    ],
    ids=range(7),
)
def test_any_other_request_arrives_unchanged(body: bytes) -> None:
    response = send(body)
    assert (response.status_code, response.content) == (200, body)


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("", 415),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("Application/JSON; charset=utf-8", 200),
        ("application/merge-patch+json", 200),
    ],
)
def test_a_body_of_another_type_is_named(kind: str, status: int) -> None:
    response = send(b"{}", kind=kind)
    assert response.status_code == status
    assert status == 200 or "needs the header Content-Type: application/json" in response.json()["detail"]
    assert send(b"", kind=kind).status_code == send(b"a=1", "/auth/login/", kind=kind).status_code == 200


def test_a_large_request_is_refused_before_it_is_read() -> None:
    read = []

    async def request() -> httpx.Response:
        async def chunks() -> Any:
            for _ in range(100):
                read.append(1)
                yield b"x" * (LARGEST_BODY // 10)

        async with httpx.AsyncClient(transport=httpx.ASGITransport(APP), base_url="http://airflow") as client:
            return await client.post(RUNS, content=chunks())

    response = anyio.run(request)
    assert response.status_code == 413
    assert response.json() == {"detail": f"the request has more than {LARGEST_BODY} bytes"}
    assert len(read) == 11


def test_what_workers_send_is_not_checked_except_for_the_runs_that_they_trigger() -> None:
    body = b'{"value": 1e30}'
    assert send(body, "/execution/xcoms/any/run/task/key").status_code == 200
    assert send(body, "/execution/dag-runs/any/run").status_code == 422
    assert send(body, "/api/v2/dags/execution/dagRuns").status_code == 422


ANY_TEXT = st.text(st.characters(), max_size=5) | st.sampled_from(["\ud800", "\0"])
DEEP: list[Any] = []
for _ in range(50_000):  # Python 3.13 passes on 5,000
    DEEP = [DEEP]
JSON = st.recursive(
    st.integers(-(2**70), 2**70) | st.floats() | ANY_TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(ANY_TEXT, inner, max_size=3),
    max_leaves=10,
)


@pytest.mark.parametrize("value", [2**64, -(2**63) - 1, "\ud800", DEEP])
def test_a_component_ends_when_it_passes_on_what_is_refused(value: Any) -> None:
    with pytest.raises((OverflowError, UnicodeEncodeError, RecursionError)):
        _RequestFrame(id=0, body={"conf": value}).as_bytes()


@settings(deadline=None)
@given(JSON)
def test_what_is_accepted_can_be_passed_between_components(value: Any) -> None:
    body = json.dumps({"conf": value}).encode()
    if problem_in(body) is None:
        _RequestFrame(id=0, body=json.loads(body)).as_bytes()


def test_a_body_that_does_not_arrive_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "BODY_SECONDS", 0.01)

    async def receive() -> Message:
        await anyio.sleep_forever()
        raise AssertionError

    async def request() -> list[Message]:
        sent: list[Message] = []

        async def keep(message: Message) -> None:
            sent.append(message)

        await APP({"type": "http", "method": "POST", "path": RUNS, "headers": []}, receive, keep)
        return sent

    start, body = anyio.run(request)
    assert start["status"] == 408
    assert b"didn't arrive within 0.01 s" in body["body"]


async def post_at_once(app: GuardedRequests, bodies: list[bytes]) -> list[int]:
    """Return the statuses of requests that are sent at the same time."""
    statuses = [0] * len(bodies)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://airflow") as client:

        async def post(number: int) -> None:
            response = await client.post(RUNS, content=bodies[number], headers={"Content-Type": "application/json"})
            statuses[number] = response.status_code

        async with anyio.create_task_group() as group:
            for number in range(len(bodies)):
                group.start_soon(post, number)
    return statuses


def test_two_bodies_are_parsed_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    lock, running, most = threading.Lock(), 0, 0

    def parse(body: bytes) -> str | None:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.05)
        with lock:
            running -= 1
        return problem_in(body)

    monkeypatch.setattr(middleware, "problem_in", parse)
    assert anyio.run(post_at_once, APP, [b"{}"] * 6) == [200] * 6
    assert most == PARSED_AT_ONCE


def test_the_bodies_of_waiting_requests_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has been responded to doesn't count."""
    waiting, end = anyio.Event(), anyio.Event()

    async def wait(_: Request) -> Response:
        waiting.set()
        await end.wait()
        return Response()

    app = GuardedRequests(Starlette(routes=[Route("/{path:path}", wait, methods=["POST"])]))
    monkeypatch.setattr(middleware, "LARGEST_BUFFERED", 5)

    async def requests() -> list[int]:
        statuses: list[int] = []
        async with anyio.create_task_group() as group:

            async def first() -> None:
                statuses.extend(await post_at_once(app, [b"[1]"]))

            group.start_soon(first)
            await waiting.wait()
            with anyio.move_on_after(10):  # a second one that waits as well gets no status
                statuses.extend(await post_at_once(app, [b"[1]"]))
            end.set()
        return statuses + await post_at_once(app, [b"[1]"])

    assert anyio.run(requests) == [503, 200, 200]
