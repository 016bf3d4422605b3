"""Faults of memory: a task that gets none, and one that the kernel ends because of it."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.faults.bench import Bench
from tests.faults.checks import check_messages, check_processes, start, tries, wait_until_terminal
from tests.faults.conftest import Recovery

pytestmark = pytest.mark.weekly
CGROUP = Path("/sys/fs/cgroup/memory")  # version 1, in which a folder needs no controller to be delegated
LIMIT = 64 * 1024**2  # bytes; less than what the task asks for


@contextmanager
def little_address_space(task: psutil.Process) -> Iterator[None]:
    """Leave a process :data:`LIMIT` more bytes of addresses, so that an allocation raises ``MemoryError``."""
    used = task.memory_info().vms
    resource.prlimit(task.pid, resource.RLIMIT_AS, (used + LIMIT, used + LIMIT))
    yield


@contextmanager
def little_memory(task: psutil.Process) -> Iterator[None]:
    """Move a process to a control group of its own, in which the kernel kills whoever exceeds the limit."""
    if not os.access(CGROUP / "cgroup.procs", os.W_OK):
        pytest.skip(f"the memory control group {CGROUP} can't be written: needs root, and cgroup version 1")
    group = CGROUP / f"spellbook-faults-{task.pid}"
    group.mkdir()
    try:
        (group / "memory.limit_in_bytes").write_text(str(LIMIT))
        (group / "cgroup.procs").write_text(str(task.pid))
        yield
        killed = "oom_kill 0" not in (group / "memory.oom_control").read_text()
        assert killed, "the kernel ended no process of the group"
    finally:
        psutil.wait_procs([task], timeout=30)
        group.rmdir()


@pytest.mark.parametrize("limited", [little_address_space, little_memory])
def test_task_out_of_memory(bench: Bench, recovery: Recovery, limited: type) -> None:
    """A task asks for 300 MB in its first try; the next one, elsewhere, succeeds."""
    run = start(bench, "ledger_hungry")
    with bench.ledger.hold(run, "hungry", "start") as hold:
        bench.processes.wait(hold.reached.is_set, "the task to start")
        assert hold.event
        with limited(psutil.Process(hold.event.pid)):
            recovery.begins()
            hold.released.set()
            bench.processes.wait(lambda: bench.ledger.of(run, "end"), "the next try to end")
            recovery.ends(30)
    assert wait_until_terminal(bench, run) == "success"
    assert tries(bench, run) == {"hungry": 2}
    check_messages(bench, run, failed=False)
    check_processes(bench)
