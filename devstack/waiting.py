"""Waits that end when their condition holds, or when nothing has moved for long; never on a fixed clock."""

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
PROGRESS_SECONDS = 5.0  # between two looks at the progress, each of which goes through all processes
LEAST_CPU_SECONDS = 0.2
LEAST_CPU_SHARE = 0.02  # of a core; what idles uses less, what works gets more even on a busy machine


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
        condition: asked again and again.
        what: what is waited for, for the error.
        progress: its value differs from the one before as long as work goes on.
        hint: says where to look when it doesn't.
        stalled: seconds without progress after which the wait is given up.
        poll: seconds between two looks.

    Raises:
        StackError: if nothing has moved for ``stalled`` seconds.
    """
    seen, moved = progress(), time.monotonic()
    looked = moved
    while True:
        stalled_now = time.monotonic() - moved > stalled
        if value := condition():  # asked last, so that the decision rests on the newest state
            return value
        if stalled_now:
            raise StackError(f"nothing has moved for {stalled:.0f} s while waiting for {what}. {hint()}".rstrip())
        if time.monotonic() - looked >= min(PROGRESS_SECONDS, stalled):
            looked = time.monotonic()
            if (now := progress()) != seen:
                seen, moved = now, looked
        time.sleep(poll)


@dataclass
class Activity:
    """Whether processes are at work: the number that a call returns grows with the CPU time and the logs of them.

    Attributes:
        records: files with the :class:`~devstack.process.Record` of each process; its children count too.
        logs: files that they write to.
    """

    records: Sequence[Path]
    logs: Sequence[Path] = ()
    _steps: int = field(default=0, init=False)
    _seen: tuple[float, float, int] = field(default_factory=lambda: (time.monotonic(), 0.0, 0), init=False)

    def __call__(self) -> int:
        """Look again, and return the number of times that something had happened."""
        now, cpu, size = time.monotonic(), sum(map(_cpu_seconds, self.records)), sum(map(_size, self.logs))
        then, used, length = self._seen
        if size != length or abs(cpu - used) > max(LEAST_CPU_SECONDS, LEAST_CPU_SHARE * (now - then)):
            self._steps += 1
            self._seen = now, cpu, size
        return self._steps


def _cpu_seconds(path: Path) -> float:
    """Return the CPU seconds that a recorded process and its children have used; 0 if it has ended."""
    record = Record.read(path)
    process = record.process() if record else None
    try:
        family = [process, *process.children(recursive=True)] if process else []
        return sum(sum(member.cpu_times()[:4]) for member in family)
    except psutil.Error:  # one ended meanwhile, which is a change too
        return 0.0


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
