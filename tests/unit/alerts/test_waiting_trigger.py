"""When the trigger of ``alerts_drain`` fires, for what its checks find."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from threading import Event

import pytest
from airflow.serialization.encoders import encode_trigger

from spellbook.triggers import alerts_waiting
from spellbook.triggers.alerts_waiting import AlertsWaitingTrigger

END = "the end"

Find = Callable[[], frozenset[str]]


def checks(*results: str | Exception) -> Find:
    """Checks with these results, of which each letter is a thing that waits; then one of the end."""
    remaining: Iterator[str | Exception] = iter(results)

    def find() -> frozenset[str]:
        result = next(remaining, None)
        if isinstance(result, Exception):
            raise result
        return frozenset({END} if result is None else result)

    return find


def events(monkeypatch: pytest.MonkeyPatch, find: Find) -> list[list[str]]:
    """What the trigger fires with, before that of the end."""
    monkeypatch.setattr(alerts_waiting, "find_work", find)

    async def collect() -> list[list[str]]:
        fired = []
        async for event in AlertsWaitingTrigger(check_interval=0).run():
            if END in event.payload["waiting"]:
                break
            fired.append(event.payload["waiting"])
        return fired

    return asyncio.run(collect())


def test_it_fires_for_what_is_new_and_not_for_what_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checks("", "", "a", "a", "ab", "b", "b", "", "b", "")
    assert events(monkeypatch, found) == [["a"], ["a", "b"], ["b"]]


def test_it_fires_again_after_a_minute_for_what_still_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts_waiting, "REPEAT_SECONDS", 0)
    assert events(monkeypatch, checks("a", "a", "", "")) == [["a"], ["a"]]


def test_an_error_neither_ends_it_nor_fires_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    found = checks(OSError("down"), OSError("down"), ImportError("a mistake in a domain"), "", OSError("down"))
    failed = "the check failed: "
    assert events(monkeypatch, found) == [[f"{failed}OSError"], [f"{failed}ImportError"], [f"{failed}OSError"]]


def test_a_stalled_check_fires_and_is_not_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alerts_waiting, "CHECK_SECONDS", 0.02)
    monkeypatch.setattr(alerts_waiting, "REPEAT_SECONDS", 0)
    goes_on, started = Event(), []

    def stall() -> frozenset[str]:
        started.append(True)
        goes_on.wait()
        return frozenset({"a"})

    monkeypatch.setattr(alerts_waiting, "find_work", stall)

    async def three() -> list[list[str]]:
        fired = AlertsWaitingTrigger(check_interval=0).run()
        try:
            stalled = [(await anext(fired)).payload["waiting"] for _ in range(2)]
            assert len(started) == 1
        finally:
            goes_on.set()
        while (last := (await anext(fired)).payload["waiting"]) in stalled:
            pass
        return [*stalled, last]

    failed = ["the check failed: TimeoutError"]
    assert asyncio.run(three()) == [failed, failed, ["a"]]


def test_it_can_be_cancelled_during_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on, started = Event(), Event()

    def stall() -> frozenset[str]:
        started.set()
        goes_on.wait()
        return frozenset()

    monkeypatch.setattr(alerts_waiting, "find_work", stall)

    async def cancel() -> bool:
        task = asyncio.ensure_future(anext(AlertsWaitingTrigger().run()))
        await asyncio.to_thread(started.wait)
        task.cancel()
        try:
            await asyncio.wait({task}, timeout=60)
            return task.cancelled()
        finally:
            goes_on.set()

    assert asyncio.run(cancel())


def test_an_event_names_no_more_than_ten_things(monkeypatch: pytest.MonkeyPatch) -> None:
    assert events(monkeypatch, checks("abcdefghijklmnop")) == [list("abcdefghij")]


def test_its_arguments_are_plain_and_always_the_same() -> None:
    encoded = encode_trigger(AlertsWaitingTrigger())
    assert json.loads(json.dumps(encoded)) == encode_trigger(AlertsWaitingTrigger())
    assert encoded["classpath"] == "spellbook.triggers.alerts_waiting.AlertsWaitingTrigger"
    assert encoded["kwargs"] == {"check_interval": 20}
