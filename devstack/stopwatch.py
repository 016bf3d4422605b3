"""Measure how long each step of a command takes."""

from __future__ import annotations

import time


class Stopwatch:
    """Split the time since its creation into named laps."""

    def __init__(self) -> None:
        self._started_at = self._lap_started_at = time.monotonic()
        self._laps: list[tuple[str, float]] = []

    def lap(self, name: str) -> None:
        """End the current lap and call it ``name``."""
        now = time.monotonic()
        self._laps.append((name, now - self._lap_started_at))
        self._lap_started_at = now

    def __str__(self) -> str:
        laps = ", ".join(f"{name} {seconds:.1f}" for name, seconds in self._laps)
        return f"{self._lap_started_at - self._started_at:.1f} s: {laps}"
