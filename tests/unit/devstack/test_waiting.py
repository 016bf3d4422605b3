"""A wait ends when its condition is true or progress stops, however slow the machine is."""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack import waiting
from devstack.errors import StackError
from devstack.process import Record
from devstack.waiting import Activity, wait_for


class Clock:
    """Time that passes only in sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def test_it_waits_as_long_as_there_is_progress(clock: Clock) -> None:
    assert wait_for(lambda: clock.now > 10_000, "it", progress=lambda: clock.now // 60, poll=1.0)


def test_it_gives_up_without_progress_and_names_the_log(clock: Clock) -> None:
    with pytest.raises(StackError, match=r"no progress for 90 s while waiting for it\. See it\.log"):
        wait_for(lambda: False, "it", progress=lambda: None, hint=lambda: "See it.log", poll=1.0)
    assert 90 < clock.now < 93


def test_a_condition_that_becomes_true_at_the_last_moment_counts(clock: Clock) -> None:
    """The process was suspended for longer than the time limit: the last state decides."""
    moments = iter([False, True])

    def condition() -> bool:
        clock.now += 1000
        return next(moments)

    assert wait_for(condition, "it", progress=lambda: None)


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """A process that uses CPU time on request, and the file with its record."""
    code = "import sys, time\nfor line in sys.stdin:\n  end = time.process_time() + 0.5\n"
    code += "  while time.process_time() < end: pass\n  print('done', flush=True)"
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True)
    record = tmp_path / "record.json"
    Record.of(process.pid, "").write(record)
    yield process, record
    process.kill()
    process.communicate()


def test_activity_is_cpu_time_or_a_growing_log(worker: tuple[subprocess.Popen[str], Path], tmp_path: Path) -> None:
    process, record = worker
    assert process.stdin
    assert process.stdout
    activity = Activity([record], [tmp_path / "log"])
    first = activity()
    assert activity() == first
    process.stdin.write("work\n")
    process.stdin.flush()
    process.stdout.readline()
    second = activity()
    assert second > first
    (tmp_path / "log").write_text("a line")
    assert activity() > second


def test_an_ended_process_is_not_active(tmp_path: Path) -> None:
    record = tmp_path / "record.json"
    Record(2**22 + 1, 0.0, "").write(record)
    activity = Activity([record])
    assert len({activity() for _ in itertools.repeat(None, 3)}) == 1
