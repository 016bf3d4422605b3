"""Faults of processes: killed, stopped, or away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace

import psutil
import pytest

from tests.faults import MANY_TASKS, SENSORS
from tests.faults.bench import COMPONENTS, Bench, kill_all
from tests.faults.checks import (
    check_load,
    check_messages,
    check_processes,
    new_day,
    start,
    task_state,
    tasks,
    tries,
    wait_until_terminal,
    wait_with_restarts,
)
from tests.faults.conftest import Recovery
from tests.faults.ledger import Hold

ONE_TRY = {"extract": 1, "load": 1, "confirm": 1}
PRODUCTION = {"AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "180"}  # as in airflow.cfg
COMMITTED = {("load", "commit"), ("load", "end")}
KILLS = 20
PATIENCE = 120  # seconds of an outage of the API that cost no try
KEPT = {"s3", "sinks"}  # stand for services on other machines


def process_at(bench: Bench, hold: Hold) -> psutil.Process:
    """Wait until a try has reached the step; return its process."""
    bench.processes.wait(hold.reached.is_set, f"{hold.task} to reach {hold.step}")
    assert hold.event
    return psutil.Process(hold.event.pid)


def test_task_killed_in_mid_copy(bench: Bench, recovery: Recovery) -> None:
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "copy") as hold:
        process_at(bench, hold).kill()
        recovery.begins()
        bench.processes.wait(lambda: bench.ledger.of(run, "commit"), "the next try to commit")
        recovery.ends(15)
    check_load(bench, run, day)
    assert tries(bench, run) == ONE_TRY | {"load": 2}


def test_task_killed_in_its_last_try(bench: Bench, recovery: Recovery) -> None:
    """The task can't send a message any more, so the run does."""
    run = start(bench, "ledger_fatal")
    with bench.ledger.hold(run, "only", "start") as hold:
        process_at(bench, hold).kill()
        recovery.begins()
        assert wait_until_terminal(bench, run) == "failed"
        check_messages(bench, run, failed=True)
        recovery.ends(15)
    check_processes(bench)


def test_supervisor_killed_and_the_task_lives_on(bench: Bench, recovery: Recovery) -> None:
    """The orphan wakes when a newer try has loaded: the fence refuses it."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "start") as hold:
        supervisor = process_at(bench, hold).parent()
        assert supervisor
        supervisor.kill()
        recovery.begins()
        bench.processes.wait(lambda: bench.ledger.of(run, "commit"), "the next try to commit")
        recovery.ends(25)
        assert bench.processes.strays(), "the orphan, as long as it is held"
    check_load(bench, run, day)
    bench.processes.wait(lambda: bench.ledger.of(run, "refused"), "the fence to refuse the orphan")
    assert [event.attempt for event in bench.ledger.of(run, "commit")] == [2]


@pytest.mark.weekly
def test_supervisor_killed_in_mid_copy(bench: Bench, recovery: Recovery) -> None:
    """The orphan holds the partition's lock, and commits; the next try changes nothing."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "copy") as hold:
        supervisor = process_at(bench, hold).parent()
        assert supervisor
        supervisor.kill()
        recovery.begins()
        bench.processes.wait(lambda: len(bench.ledger.of(run, "start", "load")) > 1, "the next try to start")
        recovery.ends(25)
    check_load(bench, run, day, commits=2)


@pytest.mark.weekly
def test_celery_main_process_killed(bench: Bench, recovery: Recovery) -> None:
    """The process that supervises the task ends with it; the task commits alone, and its retry changes nothing."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "start") as hold:
        process_at(bench, hold)
        orphans = bench.processes.kill_main("worker")
        recovery.begins()
    bench.processes.wait(lambda: bench.ledger.of(run, "commit"), "the orphan to commit")
    kill_all(orphans)  # an idle one outlives its parent
    bench.processes.ensure(["worker"])
    check_load(bench, run, day, commits=2)
    recovery.ends(60)
    assert tries(bench, run) == ONE_TRY | {"load": 2}


@pytest.mark.parametrize("step", ["commit", pytest.param("copy", marks=pytest.mark.weekly)])
def test_worker_killed_with_its_tasks(bench: Bench, recovery: Recovery, step: str) -> None:
    """Nobody reports that they have ended; their heartbeats stop."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", step) as hold:
        process_at(bench, hold)
        bench.processes.kill("worker")
        recovery.begins()
        bench.processes.wait(lambda: task_state(bench, run, "load") != "running", "the retry to be decided")
        recovery.ends(25)
    bench.processes.ensure(["worker"])
    check_load(bench, run, day, commits=2 if step == "commit" else 1)
    assert tries(bench, run) == ONE_TRY | {"load": 2}


def test_worker_stopped_with_a_running_task(bench: Bench, recovery: Recovery) -> None:
    """SIGTERM, as in a deploy: the task ends first."""
    day = new_day()
    run = start(bench, day=day)
    log = bench.processes.state.logs / "worker.log"
    with bench.ledger.hold(run, "load", "copy") as hold:
        process_at(bench, hold)
        bench.processes.terminate("worker")
        bench.processes.wait(lambda: "Warm shutdown" in log.read_text(), "the worker to shut down")
        recovery.begins()
    bench.processes.wait(lambda: not bench.processes.is_running("worker"), "the worker to end")
    recovery.ends(15)
    assert bench.ledger.of(run, "commit")
    bench.processes.ensure(["worker"])
    check_load(bench, run, day)
    assert tries(bench, run) == ONE_TRY


def test_scheduler_killed(bench: Bench, recovery: Recovery) -> None:
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "extract", "end") as hold:
        process_at(bench, hold)
        bench.processes.kill("scheduler")
        recovery.begins()
    bench.processes.ensure(["scheduler"])
    bench.processes.wait(lambda: bench.ledger.of(run, "start", "load"), "the next task to start")
    recovery.ends(20)
    check_load(bench, run, day)
    assert tries(bench, run) == ONE_TRY


@pytest.mark.weekly
def test_scheduler_killed_again_and_again(bench: Bench, recovery: Recovery) -> None:
    """Twenty times in a run of two hundred tasks: each runs once."""
    run = start(bench, "ledger_many")

    def wait_for_ends(least: int) -> None:
        bench.processes.wait(lambda: len(bench.ledger.of(run, "end")) >= least, f"{least} tasks to end")

    for kills in range(1, KILLS + 1):
        wait_for_ends(5 * kills)
        bench.processes.kill("scheduler")
        recovery.begins()
        bench.processes.ensure(["scheduler"])
    wait_for_ends(len(bench.ledger.of(run, "end")) + 1)
    recovery.ends(20)
    assert wait_until_terminal(bench, run) == "success"
    numbers = [event.task for event in bench.ledger.of(run, "end")]
    assert len(numbers) == len(set(numbers)) == MANY_TASKS
    check_messages(bench, run, failed=False)
    check_processes(bench)


@pytest.mark.weekly
def test_one_of_two_schedulers_killed(bench: Bench, recovery: Recovery) -> None:
    """Both schedule a run of two hundred tasks, until one of them is killed: each task runs once."""
    bench.processes.ensure(["scheduler-second"])
    run = start(bench, "ledger_many")
    bench.processes.wait(lambda: len(bench.ledger.of(run, "end")) >= MANY_TASKS // 4, "a quarter of the tasks to end")
    bench.processes.kill("scheduler")
    recovery.begins()
    ended = len(bench.ledger.of(run, "end"))
    bench.processes.wait(lambda: len(bench.ledger.of(run, "end")) > ended + 4, "a task to start that wasn't queued")
    recovery.ends(20)
    bench.processes.ensure(["scheduler"])
    assert wait_until_terminal(bench, run) == "success"
    bench.processes.kill("scheduler-second")
    numbers = [event.task for event in bench.ledger.of(run, "end")]
    assert len(numbers) == len(set(numbers)) == MANY_TASKS
    check_messages(bench, run, failed=False)
    check_processes(bench)


@pytest.mark.parametrize("number", [1, pytest.param(5, marks=pytest.mark.weekly)])
def test_triggerer_killed_with_deferred_tasks(bench: Bench, recovery: Recovery, number: int) -> None:
    runs = [start(bench, "ledger_wait") for _ in range(number)]
    bench.processes.wait(
        lambda: [task["state"] for run in runs for task in tasks(bench, run)] == ["deferred"] * SENSORS * number,
        "all sensors to be deferred",
    )
    bench.processes.kill("triggerer")
    recovery.begins()
    bench.ledger.opened.update(runs)
    bench.processes.ensure(["triggerer"])
    assert {wait_until_terminal(bench, run) for run in runs} == {"success"}
    recovery.ends(60 * number)
    assert {task["try_number"] for run in runs for task in tasks(bench, run)} == {1}
    for run in runs:
        check_messages(bench, run, failed=False)
    check_processes(bench)


@pytest.mark.parametrize(
    "seconds", [20, pytest.param(60, marks=pytest.mark.weekly), pytest.param(120, marks=pytest.mark.weekly)]
)
def test_api_server_away(bench: Bench, recovery: Recovery, seconds: int) -> None:
    """A running task survives and reports its end later; those sent meanwhile start later, in their first try."""
    with production_heartbeats(bench):
        check_outage(bench, recovery, bench.api_proxy.away(), seconds)


@pytest.mark.weekly
@pytest.mark.parametrize("seconds", [20, 60])
def test_api_server_silent(bench: Bench, recovery: Recovery, seconds: int) -> None:
    """It accepts the calls of tasks, and answers none."""
    with production_heartbeats(bench):
        check_outage(bench, recovery, bench.api_proxy.silent(), seconds)


@pytest.mark.weekly
def test_api_server_killed(bench: Bench, recovery: Recovery) -> None:
    """A task ends while it is away."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "commit") as hold:
        process_at(bench, hold)
        bench.processes.kill("api-server")
        recovery.begins()
    bench.processes.wait(lambda: bench.ledger.of(run, "end", "load"), "the task to end")
    bench.processes.ensure(["api-server"])
    check_load(bench, run, day)
    recovery.ends(60)
    assert tries(bench, run) == ONE_TRY


@contextmanager
def production_heartbeats(bench: Bench) -> Iterator[None]:
    """Run the scheduler with the heartbeat timeout of production in the block."""
    bench.processes.kill("scheduler")
    replace(bench.processes, overrides=PRODUCTION).ensure(["scheduler"])
    try:
        yield
    finally:
        bench.processes.kill("scheduler")  # the next test starts it with the test profile


def check_outage(
    bench: Bench,
    recovery: Recovery,
    outage: AbstractContextManager[None],
    seconds: int,
) -> None:
    """Take the API away from tasks for a time, and check the runs of that time."""
    days = [new_day(), new_day(), new_day()]
    run = start(bench, day=days[0])
    with bench.ledger.hold(run, "load", "start") as hold:
        process_at(bench, hold)
        with outage:
            began = time.monotonic()
            unstarted = [start(bench, day=day) for day in days[1:]]
            bench.processes.wait(
                lambda: are_queued(bench, unstarted) or time.monotonic() - began > PATIENCE,
                "the other runs' tasks to be sent",
            )
            assert are_queued(bench, unstarted), f"the other runs' tasks weren't sent within {PATIENCE} s"
            hold.released.set()
            while time.monotonic() - began < seconds:
                time.sleep(0.1)  # the outage itself
        recovery.begins()
    for other, day in zip((run, *unstarted), days, strict=True):
        check_load(bench, other, day)
    recovery.ends(30)
    assert [tries(bench, other) for other in (run, *unstarted)] == [ONE_TRY] * 3


def are_queued(bench: Bench, runs: list[str]) -> bool:
    """Tell whether the first task of each run is queued."""
    return all(task_state(bench, run, "extract") == "queued" for run in runs)


@pytest.mark.parametrize(
    ("task", "step"),
    [
        ("load", "copy"),
        *(
            pytest.param(task, step, marks=pytest.mark.weekly)
            for task, steps in {
                "extract": ("start", "end"),
                "load": ("start", "commit", "end"),
                "confirm": ("start", "end"),
            }.items()
            for step in steps
        ),
    ],
)
def test_everything_killed(bench: Bench, recovery: Recovery, task: str, step: str) -> None:
    """As when the machine is switched off."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, task, step) as hold:
        process_at(bench, hold)
        bench.processes.kill(*(name for name in reversed(COMPONENTS) if name not in KEPT))
        recovery.begins()
    bench.processes.ensure(COMPONENTS)
    check_load(bench, run, day, commits=2 if (task, step) in COMMITTED else 1)
    recovery.ends(90)
    assert tries(bench, run) == ONE_TRY | {task: 2}


@pytest.mark.weekly
@pytest.mark.parametrize(
    "pair",
    [
        ("scheduler", "worker"),
        ("scheduler", "triggerer"),
        ("scheduler", "metadata"),
        ("api-server", "scheduler"),
        ("api-server", "worker"),
        ("redis", "scheduler"),
        ("redis", "worker"),
        ("warehouse", "scheduler"),
        ("warehouse", "worker"),
        ("metadata", "warehouse"),
    ],
    ids="-".join,
)
def test_two_components_killed(bench: Bench, recovery: Recovery, pair: tuple[str, str]) -> None:
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "copy") as hold:
        process_at(bench, hold)
        bench.processes.kill(*pair)
        recovery.begins()
    bench.processes.ensure(COMPONENTS)
    assert wait_with_restarts(bench, run) == "success"
    recovery.ends(90)
    bench.processes.ensure(COMPONENTS)
    check_load(bench, run, day)
