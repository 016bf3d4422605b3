"""Wait until a condition holds or progress stops, without a fixed timeout."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import psutil

from devstack.errors import StackError
from devstack.process import Record

T = TypeVar("T")

STALLED_SECONDS = 90.0
POLL_SECONDS = 0.1
REST = 2.0  # of the time that a poll took, so that a busy server or machine isn't kept busy
PROGRESS_SECONDS = 5.0  # between two checks of the progress, each of which visits all processes
MIN_CPU_SECONDS = 0.2
MIN_CPU_SHARE = 0.02  # of a core: an idle process uses less, a working one gets more even on a busy machine


def wait_for(
    condition: Callable[[], T],
    what: str,
    *,
    progress: Callable[[], object],
    hint: Callable[[], str] = str,
    stalled: float = STALLED_SECONDS,
    poll: float = POLL_SECONDS,
) -> T:
    """Return the first true value of ``condition``.

    Args:
        condition: polled.
        what: description of the condition for the error message.
        progress: its value changes as long as there is progress.
        hint: returns advice for the error message.
        stalled: seconds without progress after which the wait fails.
        poll: seconds between two checks.

    Raises:
        StackError: if there is no progress for ``stalled`` seconds.
    """
    last, moved = progress(), time.monotonic()
    checked_at = moved
    while True:
        is_stalled = time.monotonic() - moved > stalled
        if value := condition():  # evaluated last, so that the decision uses the newest state
            return value
        if is_stalled:
            raise StackError(f"no progress for {stalled:.0f} s while waiting for {what}. {hint()}".rstrip())
        if time.monotonic() - checked_at >= min(PROGRESS_SECONDS, stalled):
            checked_at = time.monotonic()
            if (now := progress()) != last:
                last, moved = now, checked_at
        time.sleep(poll)


@dataclass
class Activity:
    """Progress of processes: a call returns a number that grows with their CPU time and logs.

    Attributes:
        records: files with the :class:`~devstack.process.Record` of each process; its children are included.
        logs: files that they write to.
    """

    records: Sequence[Path]
    logs: Sequence[Path] = ()
    _steps: int = field(default=0, init=False)
    _seen: tuple[float, float, int] = field(default_factory=lambda: (time.monotonic(), 0.0, 0), init=False)

    def __call__(self) -> int:
        """Check again, and return the number of times that activity was detected."""
        now, cpu, size = time.monotonic(), sum(map(_cpu_seconds, self.records)), sum(map(_size, self.logs))
        then, used, length = self._seen
        if size != length or abs(cpu - used) > max(MIN_CPU_SECONDS, MIN_CPU_SHARE * (now - then)):
            self._steps += 1
            self._seen = now, cpu, size
        return self._steps


def _cpu_seconds(path: Path) -> float:
    """Return the CPU seconds that a recorded process and its children have used; 0 if it has ended."""
    record = Record.read(path)
    process = record.process() if record else None
    try:
        processes = [process, *process.children(recursive=True)] if process else []
        return sum(sum(member.cpu_times()[:4]) for member in processes)
    except psutil.Error:  # a process ended in the meantime, which is a change too
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
