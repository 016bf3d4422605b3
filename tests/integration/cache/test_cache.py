"""The cache on a real PostgreSQL and real files: hits, expiry, and that losing it only costs time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from upath import UPath

from devstack.state import REPOSITORY
from include.core.cache import INLINE, Cache, Outcome, code_version
from include.core.errors import PermanentUpstreamError, TransientUpstreamError
from include.core.storage import url_of

LARGE = os.urandom(INLINE + 1)
HOLDER = """
import sys
from upath import UPath
from include.core.cache import Cache

def hang():
    print("computing", flush=True)
    sys.stdin.read()
    return b""

Cache("things", sys.argv[1], UPath(sys.argv[2])).get("key", hang)
"""


class Upstream:
    """Returns the given response, or raises it; counts its calls."""

    def __init__(self, response: bytes | Exception = b"fresh") -> None:
        self.response = response
        self.calls = 0

    def __call__(self) -> bytes:
        self.calls += 1
        if isinstance(self.response, Exception):
            raise self.response
        return self.response


@pytest.fixture
def outcomes() -> list[Outcome]:
    return []


@pytest.fixture
def cache(warehouse: str, tmp_path: Path, outcomes: list[Outcome]) -> Cache:
    return Cache("things", warehouse, UPath(url_of(tmp_path)), count=outcomes.append)


def grow_older(warehouse: str, by: timedelta) -> None:
    with psycopg.connect(warehouse) as session:
        session.execute("UPDATE cache_entry SET created_at = created_at - %s", [by])


def files(tmp_path: Path) -> list[Path]:
    return [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("response", [b"small", b"", LARGE])
def test_the_second_call_is_a_hit(cache: Cache, outcomes: list[Outcome], tmp_path: Path, response: bytes) -> None:
    upstream = Upstream(response)
    first, second = (cache.get("key", upstream) for _ in range(2))
    assert (upstream.calls, first.content, second.content) == (1, response, response)
    assert abs(first.created_at - second.created_at) < timedelta(seconds=5)
    assert outcomes == ["miss", "hit"]
    assert len(files(tmp_path)) == (response is LARGE)


def test_inputs_code_and_name_are_part_of_the_key(cache: Cache, warehouse: str, tmp_path: Path) -> None:
    other = Cache("others", warehouse, UPath(url_of(tmp_path)))
    inputs = {"day": "2010-12-20", "base": "https://a"}
    keys = [
        cache.key(inputs, "1"),
        cache.key(inputs | {"day": "2010-12-21"}, "1"),
        cache.key(inputs, "2"),
        other.key(inputs, "1"),
    ]
    assert len(set(keys)) == 4
    assert cache.key(dict(reversed(inputs.items())), "1") == keys[0]


def test_another_line_of_code_is_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)

    def module(name: str, text: str) -> types.ModuleType:
        (tmp_path / f"{name}.py").write_text(text)
        return __import__(name)

    original, same, other = module("a1", "X = 1\n"), module("a2", "X = 1\n"), module("a3", "X = 2\n")
    assert code_version(original) == code_version(same) != code_version(other)
    assert code_version(original, other) != code_version(original)


def test_an_entry_is_fresh_for_six_hours(cache: Cache, warehouse: str, outcomes: list[Outcome]) -> None:
    upstream = Upstream()
    cache.get("key", upstream)
    grow_older(warehouse, timedelta(hours=5, minutes=59))
    cache.get("key", upstream)
    grow_older(warehouse, timedelta(minutes=2))
    cache.get("key", upstream)
    assert outcomes == ["miss", "hit", "miss"]


def test_refresh_and_invalidation(cache: Cache, tmp_path: Path) -> None:
    cache.get("key", Upstream(LARGE))
    assert cache.get("key", Upstream(LARGE[::-1]), refresh=True).content == LARGE[::-1]
    assert cache.get("key", Upstream()).content == LARGE[::-1]
    assert len(files(tmp_path)) == 1
    cache.get("other", Upstream())
    assert cache.invalidate("key") == 1
    assert files(tmp_path) == []
    assert cache.get("key", Upstream()).outcome == "miss"
    assert cache.get("other", Upstream()).outcome == "hit"
    assert cache.invalidate() == 2


def test_expired_entries_are_removed(cache: Cache, warehouse: str, tmp_path: Path) -> None:
    cache.get("old", Upstream(LARGE))
    grow_older(warehouse, timedelta(hours=25))
    cache.get("new", Upstream())
    assert files(tmp_path) == []
    assert cache.invalidate() == 1


def test_a_stale_entry_is_served_while_the_upstream_fails(cache: Cache, warehouse: str) -> None:
    computed = cache.get("key", Upstream()).created_at
    grow_older(warehouse, timedelta(hours=23))
    down = Upstream(TransientUpstreamError("overloaded"))
    entry = cache.get("key", down)
    assert (entry.content, entry.outcome, down.calls) == (b"fresh", "stale", 1)
    assert timedelta(hours=22, minutes=59) < computed - entry.created_at < timedelta(hours=23, minutes=1)
    with pytest.raises(PermanentUpstreamError):
        cache.get("key", Upstream(PermanentUpstreamError("this key may not ask")))
    grow_older(warehouse, timedelta(hours=2))
    with pytest.raises(TransientUpstreamError):
        cache.get("key", down)


def test_one_worker_computes_while_the_others_wait(cache: Cache) -> None:
    release, upstream = threading.Event(), Upstream(LARGE)

    def slow() -> bytes:
        assert release.wait(60)
        return upstream()

    with ThreadPoolExecutor(6) as pool:
        running = [pool.submit(cache.get, "key", slow) for _ in range(6)]
        waiting(cache.uri, 5)
        release.set()
        results = [future.result() for future in running]
    assert upstream.calls == 1
    assert sorted(result.outcome for result in results) == ["hit"] * 5 + ["miss"]
    assert {result.content for result in results} == {LARGE}


def waiting(uri: str, count: int) -> None:
    """Return when so many sessions wait for an advisory lock."""
    deadline = time.monotonic() + 60
    with psycopg.connect(uri, autocommit=True) as session:
        while session.execute(
            "SELECT count(*) FROM pg_locks JOIN pg_database ON oid = database"
            " WHERE datname = current_database() AND locktype = 'advisory' AND NOT granted"
        ).fetchone() != (count,):
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_worker_that_dies_leaves_the_lock_to_the_next(cache: Cache, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, cache.uri, url_of(tmp_path)]
    with (
        subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder,
        ThreadPoolExecutor(1) as pool,
    ):
        assert holder.stdout
        assert holder.stdout.readline() == "computing\n"
        upstream = Upstream()
        waiter = pool.submit(cache.get, "key", upstream)
        waiting(cache.uri, 1)
        assert not waiter.done()
        holder.send_signal(signal.SIGKILL)
        assert (waiter.result(60).content, upstream.calls) == (b"fresh", 1)


def test_a_worker_that_waited_too_long_computes_the_value_itself(cache: Cache) -> None:
    impatient = Cache("things", cache.uri, cache.root, patience=0.2)
    with cache._locked("key") as alone:
        assert alone
        assert impatient.get("key", Upstream()).outcome == "bypass"


def delete_file(folder: Path) -> None:
    for file in files(folder):
        file.unlink()


def corrupt_file(folder: Path) -> None:
    for file in files(folder):
        file.write_bytes(b"corrupt")


@pytest.mark.parametrize("damage", [delete_file, corrupt_file])
def test_a_lost_or_corrupt_file_is_computed_again(cache: Cache, tmp_path: Path, damage: Callable[[Path], None]) -> None:
    cache.get("key", Upstream(LARGE))
    damage(tmp_path)
    upstream = Upstream(LARGE)
    assert (cache.get("key", upstream).content, upstream.calls) == (LARGE, 1)
    assert cache.get("key", upstream).outcome == "hit"


def test_without_the_warehouse_or_the_storage_values_are_computed(cache: Cache, tmp_path: Path) -> None:
    unreachable = Cache("things", "postgresql://localhost:1/none", cache.root)
    assert unreachable.get("key", Upstream()).outcome == "bypass"
    (tmp_path / "file").touch()
    full = Cache("things", cache.uri, UPath(url_of(tmp_path / "file")))
    upstream = Upstream(LARGE)
    assert [full.get("key", upstream).content for _ in range(2)] == [LARGE, LARGE]
    assert upstream.calls == 2
    with psycopg.connect(cache.uri) as session:
        session.execute("DROP TABLE cache_entry")
    assert cache.get("key", Upstream(LARGE)).content == LARGE


def test_an_entry_keeps_the_time_when_it_was_computed(cache: Cache) -> None:
    before = datetime.now(UTC)
    entry = cache.get("key", Upstream(json.dumps([1]).encode()))
    assert before - timedelta(seconds=1) < entry.created_at < datetime.now(UTC) + timedelta(seconds=1)
