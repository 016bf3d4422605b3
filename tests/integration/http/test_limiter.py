"""Many workers, one budget: never more calls in any window than allowed, and nearly all of the budget used."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from include.core.http import rate_limit as limiter
from include.core.http.rate_limit import RateLimiter, RateLimitError
from include.core.warehouse.connect import connect
from tests.integration.warehouse.mutation import mutate
from tests.integration.warehouse.scenarios import wait_until

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[3]
CALLS, SECONDS = 20, 2.0
PATIENCE = 15  # seconds; the four processes don't start at the same moment
WORKER = """
import sys, time
from include.core.http.rate_limit import RateLimiter

limiter = RateLimiter(sys.argv[1], "upstream", calls=20, seconds=2, slack=0.5)
for _ in range(15):
    limiter.acquire(timeout=30)
    print(time.monotonic(), flush=True)
"""


def test_four_processes_never_exceed_the_limit_in_any_window(warehouse: str) -> None:
    command = [sys.executable, "-c", WORKER, warehouse]
    workers = [subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(4)]
    calls = sorted(float(line) for worker in workers for line in worker.communicate(timeout=60)[0].split())
    assert [worker.returncode for worker in workers] == [0, 0, 0, 0]
    assert len(calls) == 60
    for first, after in zip(calls, calls[CALLS:], strict=False):
        assert after - first >= SECONDS, f"{CALLS + 1} calls within {after - first:.3f} s"
    assert calls[-1] - calls[0] < 2 * SECONDS + PATIENCE, "the limiter lets fewer calls through than it may"


def test_an_exhausted_limit_raises_at_once(warehouse: str) -> None:
    rate = RateLimiter(warehouse, "upstream", calls=2, seconds=60)
    rate.acquire(timeout=0)
    rate.acquire(timeout=0)
    start = time.monotonic()
    with pytest.raises(RateLimitError, match=r"upstream: no call is free within 20\.0 s.*2 calls per 60 s") as error:
        rate.acquire(timeout=20)
    assert time.monotonic() - start < 20
    assert 20 < error.value.wait <= 61
    RateLimiter(warehouse, "another", calls=1).acquire(timeout=0)


def test_a_caller_waits_for_the_window_to_pass(warehouse: str) -> None:
    rate = RateLimiter(warehouse, "upstream", calls=1, seconds=0.5, slack=0.2)
    rate.acquire()
    assert rate.acquire(timeout=10) >= 0.5


def test_a_retry_after_delays_every_worker(warehouse: str) -> None:
    first_limiter, second_limiter = (RateLimiter(warehouse, "upstream", calls=10, seconds=1) for _ in range(2))
    start = time.monotonic()
    first_limiter.penalise(2.5)
    first_limiter.penalise(0.1)
    with pytest.raises(RateLimitError, match=r"no call is free within 0\.0 s"):
        second_limiter.acquire(timeout=0)
    second_limiter.acquire(timeout=10)
    assert time.monotonic() - start >= 2.5


@pytest.mark.parametrize("seconds", [1e20, float("inf"), 3e11])
def test_a_block_lasts_an_hour_at_most_and_can_be_lifted(warehouse: str, seconds: float) -> None:
    rate = RateLimiter(warehouse, "upstream", calls=10)
    rate.penalise(seconds)
    with pytest.raises(RateLimitError, match="Retry-After blocks all workers; to lift the block") as caught:
        rate.acquire(timeout=0)
    assert 3590 < caught.value.wait <= 3600
    with connect(warehouse) as session:
        session.execute("UPDATE rate_limit SET held_until = '-infinity' WHERE upstream = 'upstream'")
    rate.acquire(timeout=0)


def test_a_retry_after_delays_callers_that_already_wait(warehouse: str) -> None:
    rate = RateLimiter(warehouse, "upstream", calls=1, seconds=0.5, slack=0.2)
    rate.acquire()
    waited: list[float] = []
    waiter = threading.Thread(target=lambda: waited.append(rate.acquire(timeout=20)))
    waiter.start()
    time.sleep(0.2)
    rate.penalise(1.5)
    waiter.join(timeout=20)
    assert waited[0] >= 1.5


def test_concurrent_callers_never_get_the_same_slot(warehouse: str) -> None:
    assert _granted_at_once(warehouse, limiter) == 1


def test_without_the_row_lock_concurrent_callers_get_the_same_slot(warehouse: str, tmp_path: Path) -> None:
    assert _granted_at_once(warehouse, mutate(limiter, " FOR UPDATE", "", tmp_path)) == 2


def _granted_at_once(uri: str, module: ModuleType) -> int:
    """Let two callers request the only call of a window while its row is locked; return how many get it."""
    rate = module.RateLimiter(uri, "upstream", calls=1, seconds=60)
    rate.penalise(0)
    granted: list[float] = []

    def ask() -> None:
        try:
            granted.append(rate.acquire(timeout=10))
        except module.RateLimitError:
            return

    callers = [threading.Thread(target=ask) for _ in range(2)]
    with connect(uri) as holder:
        with holder.transaction():
            holder.execute("SELECT FROM rate_limit WHERE upstream = 'upstream' FOR UPDATE")
            for caller in callers:
                caller.start()
            wait_until(holder, "SELECT count(*) FROM pg_locks WHERE NOT granted", 2)
        for caller in callers:
            caller.join(timeout=20)
    return len(granted)


def test_invalid_limits_are_refused(warehouse: str) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        RateLimiter(warehouse, "upstream", calls=0)
    for seconds in (-1, float("nan")):
        with pytest.raises(ValueError, match="use 0 or more"):
            RateLimiter(warehouse, "upstream").penalise(seconds)
