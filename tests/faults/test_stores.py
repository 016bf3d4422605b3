"""Faults of the stores: databases, broker, object storage, files."""

from __future__ import annotations

from devstack.postgres import WAREHOUSE
from tests.faults import TASKS
from tests.faults.bench import Bench
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
)
from tests.faults.conftest import Recovery


def test_warehouse_killed_in_mid_copy(bench: Bench, recovery: Recovery) -> None:
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "copy") as hold:
        bench.processes.wait(hold.reached.is_set, "the load to copy")
        bench.processes.kill("warehouse")
        bench.processes.ensure(["warehouse"])
        recovery.begins()
    check_load(bench, run, day)
    recovery.ends(20)
    assert tries(bench, run)["load"] == 2


def test_reply_to_a_commit_lost(bench: Bench, recovery: Recovery) -> None:
    """The load was committed, but the task can't know: its retry changes nothing."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "copy") as hold:
        bench.processes.wait(hold.reached.is_set, "the load to copy")
        bench.forwarder.lose_next_commit()
        recovery.begins()
    check_load(bench, run, day, commits=2)
    recovery.ends(20)
    assert bench.forwarder.lost.is_set()
    with bench.processes.session(WAREHOUSE) as session:
        loads = session.execute("SELECT try_number FROM load_log WHERE run_id = %s", [run]).fetchall()
    assert sorted(load["try_number"] for load in loads) == [1, 2]


def test_metadata_database_killed(bench: Bench, recovery: Recovery) -> None:
    """Airflow's components reconnect, or end and are started again, as Compose does."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "start") as hold:
        bench.processes.wait(hold.reached.is_set, "the load to start")
        bench.processes.kill("metadata")
        recovery.begins()
        bench.processes.ensure(["metadata"])

    def goes_on() -> bool:
        bench.processes.restart_ended()
        return bool(bench.ledger.of(run, "end", "confirm"))

    bench.processes.wait(goes_on, "the run to go on")
    check_load(bench, run, day)
    recovery.ends(45)
    assert tries(bench, run)["load"] == 1


def burst(bench: Bench) -> str:
    """Start eighteen tasks, two of which run; return the run when the others are queued."""
    run = start(bench, "ledger_burst")
    bench.processes.wait(lambda: len(running(bench, run)) == 2, "two tasks to run")
    bench.processes.wait(
        lambda: [task["state"] for task in tasks(bench, run)].count("queued") == TASKS - 2, "the others to be queued"
    )
    return run


def running(bench: Bench, run: str) -> set[str]:
    return {event.task for event in bench.ledger.of(run, "start")} - {
        event.task for event in bench.ledger.of(run, "end")
    }


def check_burst(bench: Bench, run: str) -> None:
    assert wait_until_terminal(bench, run) == "success"
    assert {task["try_number"] for task in tasks(bench, run)} == {1}
    ended = [event.task for event in bench.ledger.of(run, "end")]
    assert len(ended) == len(set(ended)) == TASKS
    check_messages(bench, run, failed=False)
    check_processes(bench)


def test_broker_killed_with_queued_tasks(bench: Bench, recovery: Recovery) -> None:
    """Its file brings the messages back; the workers consume again without a restart."""
    with bench.ledger.hold_all("start"):
        run = burst(bench)
        bench.processes.kill("redis")
        recovery.begins()
        bench.processes.ensure(["redis"])
    check_burst(bench, run)
    recovery.ends(60)


def test_broker_flushed_with_queued_tasks(bench: Bench, recovery: Recovery) -> None:
    """Airflow alone would notice after ten minutes."""
    with bench.ledger.hold_all("start"):
        run = burst(bench)
        bench.processes.redis().flushall()
        recovery.begins()
    bench.processes.wait(lambda: len(bench.ledger.of(run, "start")) > 2, "a task that was queued to start")
    recovery.ends(120)
    check_burst(bench, run)


def test_object_storage_away(bench: Bench, recovery: Recovery) -> None:
    day = new_day()
    bench.processes.kill("s3")
    try:
        run = start(bench, day=day)
        bench.processes.wait(lambda: task_state(bench, run, "extract") == "up_for_retry", "the first try to fail")
    finally:
        bench.processes.ensure(["s3"])
        bench.processes.create_bucket()
        recovery.begins()
    check_load(bench, run, day)
    recovery.ends(30)
