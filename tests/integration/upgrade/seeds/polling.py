"""Waits of the scripts that create the archives."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS, TRIES = 1.0, 600


def poll(condition: Callable[[], T | None], what: str) -> T:
    """Return the first true value of ``condition``.

    Raises:
        TimeoutError: after ten minutes.
    """
    for _ in range(TRIES):
        if value := condition():
            return value
        time.sleep(POLL_SECONDS)
    raise TimeoutError(f"waited in vain for {what}")
