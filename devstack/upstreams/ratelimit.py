"""A sliding-window rate limit."""

from __future__ import annotations

import time
from collections import defaultdict, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class SlidingWindow:
    """Admits at most ``limit`` calls per key in any window of ``seconds``; a refused call doesn't count.

    ``clock`` returns monotonic seconds.
    """

    def __init__(self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._limit = limit
        self._seconds = seconds
        self._clock = clock
        self._calls: defaultdict[str, deque[float]] = defaultdict(deque)

    def admit(self, key: str) -> bool:
        """Count one call of ``key`` now; return whether it is within the limit."""
        now, calls = self._clock(), self._calls[key]
        while calls and now - calls[0] >= self._seconds:
            calls.popleft()
        if len(calls) >= self._limit:
            return False
        calls.append(now)
        return True
