"""Where the seconds of a command went."""

from __future__ import annotations

import time


class Stopwatch:
    """Splits the time since it was made into named laps."""

    def __init__(self) -> None:
        self._begun = self._last = time.monotonic()
        self._laps: list[tuple[str, float]] = []

    def lap(self, name: str) -> None:
        """End the current lap and call it ``name``."""
        now = time.monotonic()
        self._laps.append((name, now - self._last))
        self._last = now

    def __str__(self) -> str:
        laps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self._laps)
        return f"{self._last - self._begun:.1f} s: {laps}"
