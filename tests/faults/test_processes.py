"""Faults of processes: killed, stopped, or cut off from one another."""

from __future__ import annotations

import psutil

from tests.faults.bench import Open
from tests.faults.checks import check_load, new_day, start, tasks, tries
from tests.faults.conftest import Recovery


def test_task_killed_in_mid_copy(bench: Open, recovery: Recovery) -> None:
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "copy") as hold:
        pid = wait_for_step(bench, hold)
        recovery.begins()
        psutil.Process(pid).kill()
    check_load(bench, run, day)
    recovery.ends(15)
    assert tries(bench, run) == {"extract": 1, "load": 2, "confirm": 1}


def test_supervisor_killed_and_the_task_lives_on(bench: Open, recovery: Recovery) -> None:
    """The orphan wakes when a newer try has loaded: the fence refuses it."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "start") as hold:
        pid = wait_for_step(bench, hold)
        recovery.begins()
        psutil.Process(pid).parent().kill()
        bench.bench.wait(lambda: bench.ledger.of(run, "commit"), "the next try to commit")
        recovery.ends(40)
    bench.bench.wait(lambda: bench.ledger.of(run, "refused"), "the fence to refuse the orphan")
    check_load(bench, run, day)
    assert [event.attempt for event in bench.ledger.of(run, "commit")] == [2]


def test_scheduler_killed(bench: Open, recovery: Recovery) -> None:
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "extract", "end") as hold:
        wait_for_step(bench, hold)
        bench.bench.kill("scheduler")
        recovery.begins()
    bench.bench.ensure(["scheduler"])
    bench.bench.wait(lambda: bench.ledger.of(run, "start", "load"), "the next task to start")
    recovery.ends(20)
    check_load(bench, run, day)
    assert set(tries(bench, run).values()) == {1}, tasks(bench, run)


def wait_for_step(bench: Open, hold) -> int:
    """Wait until a try has reached the step; return the id of its process."""
    bench.bench.wait(hold.reached.is_set, f"{hold.task} to reach {hold.step}")
    return hold.event.pid
