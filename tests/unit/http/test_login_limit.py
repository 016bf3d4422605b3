"""The limit on failed logins, around an application with one valid password."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from spellbook.login_limit import FAILURES, MAXIMUM_ADDRESSES, SECONDS, LoginLimit

if TYPE_CHECKING:
    from starlette.types import Message, Receive, Scope, Send

CREATED, UNAUTHORIZED, REFUSED = 201, 401, 429


class Login:
    """The application; ``asked`` counts the passwords that it checked."""

    def __init__(self) -> None:
        self.now = 0.0
        self.asked = 0
        self.limit = LoginLimit(self._check, clock=lambda: self.now)

    async def _check(self, scope: Scope, _: Receive, send: Send) -> None:
        self.asked += 1
        await asyncio.sleep(0)
        await send({"type": "http.response.start", "status": CREATED if scope["right"] else UNAUTHORIZED})

    async def attempt(
        self, *, right: bool = False, host: str = "192.0.2.1", path: str = "/auth/token", method: str = "POST"
    ) -> Message:
        """Return the start of the response."""
        messages: list[Any] = []

        async def send(message: Message) -> None:
            messages.append(message)

        scope = {"type": "http", "method": method, "path": path, "client": (host, 1), "right": right}
        await self.limit(scope, _receive, send)
        return dict(messages[0])

    def statuses(self, count: int, **attempt: Any) -> list[int]:
        """Return the statuses of ``count`` attempts, one after the other."""
        return [asyncio.run(self.attempt(**attempt))["status"] for _ in range(count)]


async def _receive() -> Message:
    raise AssertionError("the body is not read")


@pytest.fixture
def login() -> Login:
    return Login()


def test_after_ten_failures_no_password_is_checked(login: Login) -> None:
    assert login.statuses(FAILURES + 3) == [UNAUTHORIZED] * FAILURES + [REFUSED] * 3
    assert login.statuses(1, right=True) == [REFUSED]
    assert login.asked == FAILURES


def test_the_response_says_when_to_try_again(login: Login) -> None:
    login.statuses(FAILURES)
    login.now = 12.5
    assert (b"retry-after", b"48") in asyncio.run(login.attempt())["headers"]
    login.now = SECONDS
    assert login.statuses(1, right=True) == [CREATED]


def test_parallel_attempts_count_before_they_end(login: Login) -> None:
    async def all_at_once() -> list[int]:
        return [m["status"] for m in await asyncio.gather(*(login.attempt() for _ in range(50)))]

    assert sorted(asyncio.run(all_at_once())) == [UNAUTHORIZED] * FAILURES + [REFUSED] * (50 - FAILURES)


def test_successful_logins_are_not_limited(login: Login) -> None:
    login.statuses(FAILURES - 1)
    assert login.statuses(100, right=True) == [CREATED] * 100


@pytest.mark.parametrize("other", ["192.0.2.2", "2001:db8:1::1", "unknown"])
def test_another_address_is_not_limited(login: Login, other: str) -> None:
    login.statuses(FAILURES)
    assert login.statuses(1, host=other) == [UNAUTHORIZED]


@pytest.mark.parametrize(
    ("first", "second"), [("2001:db8::1", "2001:db8::ffff:2"), ("192.0.2.1", "::ffff:192.0.2.1"), ("?" * 64, "?" * 99)]
)
def test_one_client_can_not_change_its_address(login: Login, first: str, second: str) -> None:
    login.statuses(FAILURES, host=first)
    assert login.statuses(1, host=second) == [REFUSED]


def test_the_client_tokens_share_the_limit(login: Login) -> None:
    login.statuses(FAILURES, path="/auth/token/cli")
    assert login.statuses(1, path="/airflow/auth/token") == [REFUSED]


def test_other_requests_pass(login: Login) -> None:
    assert login.statuses(50, path="/api/v2/dags") == [UNAUTHORIZED] * 50
    assert login.statuses(50, method="GET") == [UNAUTHORIZED] * 50


def test_addresses_are_forgotten_beyond_a_number(login: Login) -> None:
    async def fill() -> None:
        for number in range(MAXIMUM_ADDRESSES + 5):
            await login.attempt(host=f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    asyncio.run(fill())
    assert len(login.limit._attempts) == MAXIMUM_ADDRESSES
