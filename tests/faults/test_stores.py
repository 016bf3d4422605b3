"""Faults of the stores: databases, broker, object storage, files."""

from __future__ import annotations

import time

import psutil
import pytest

from devstack.postgres import WAREHOUSE
from include.core.ml.registry import CHAMPION, TAG_CANDIDATE
from tests.faults import MODEL, TASKS
from tests.faults.bench import Bench
from tests.faults.checks import (
    check_failure,
    check_load,
    check_messages,
    check_processes,
    deliver_now,
    drain,
    new_day,
    start,
    task_state,
    tasks,
    tries,
    wait_until_terminal,
    wait_with_restarts,
)
from tests.faults.conftest import Recovery

READ_ONLY = "default_transaction_read_only"
LOST_MESSAGES = "airflow.spellbook.messages.lost"
MEGABYTE = 1_000_000


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
        bench.warehouse_proxy.lose_next_commit()
        recovery.begins()
    check_load(bench, run, day, commits=2)
    recovery.ends(20)
    assert bench.warehouse_proxy.lost.is_set()
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

    wait_with_restarts(bench, run)
    check_load(bench, run, day)
    recovery.ends(45)
    assert tries(bench, run)["load"] == 1


@pytest.mark.weekly
def test_warehouse_away_for_a_minute(bench: Bench, recovery: Recovery) -> None:
    """Longer than the tries of the test profile last: the run fails, and its message waits for the warehouse."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "start") as hold:
        bench.processes.wait(hold.reached.is_set, "the load to start")
        with bench.warehouse_proxy.away():
            began = time.monotonic()
            hold.released.set()
            assert wait_until_terminal(bench, run) == "failed"
            while time.monotonic() - began < 60:
                time.sleep(0.1)  # the outage itself
        recovery.begins()
    check_failure(bench, run, day)
    recovery.ends(60)
    again = start(bench, day=day)
    check_load(bench, again, day)


@pytest.mark.weekly
def test_warehouse_read_only(bench: Bench, recovery: Recovery) -> None:
    """As after a failover to a replica."""
    day = new_day()
    run = start(bench, day=day)
    with bench.processes.session(WAREHOUSE) as session:
        with bench.ledger.hold(run, "load", "start") as hold:
            bench.processes.wait(hold.reached.is_set, "the load to start")
            session.execute(f"ALTER SYSTEM SET {READ_ONLY} = on")
            session.execute("SELECT pg_reload_conf()")
        try:
            bench.processes.wait(lambda: task_state(bench, run, "load") == "up_for_retry", "the first try to fail")
        finally:
            session.execute(f"ALTER SYSTEM RESET {READ_ONLY}")
            session.execute("SELECT pg_reload_conf()")
            recovery.begins()
    check_load(bench, run, day)
    recovery.ends(30)


@pytest.mark.weekly
def test_session_ended_in_its_transaction(bench: Bench, recovery: Recovery) -> None:
    """As ``idle_in_transaction_session_timeout``, or an administrator, does."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "copy") as hold:
        bench.processes.wait(hold.reached.is_set, "the load to copy")
        assert bench.processes.end_sessions(WAREHOUSE, "ledger_load.load#%")
        recovery.begins()
    check_load(bench, run, day)
    recovery.ends(20)
    assert tries(bench, run)["load"] == 2


@pytest.mark.weekly
def test_metadata_sessions_ended(bench: Bench, recovery: Recovery) -> None:
    """As when a pooler restarts; with a running and a queued task."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "start") as hold:
        bench.processes.wait(hold.reached.is_set, "the load to start")
        assert bench.processes.end_sessions("airflow")
        recovery.begins()
    wait_with_restarts(bench, run)
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


@pytest.mark.weekly
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
    """The executor finds the tasks whose messages are missing; Airflow alone would notice after ten minutes."""
    before = bench.statsd.counters[LOST_MESSAGES]
    with bench.ledger.hold_all("start"):
        run = burst(bench)
        bench.processes.redis().flushall()
        recovery.begins()
    bench.processes.wait(lambda: len(bench.ledger.of(run, "start")) > 2, "a task that was queued to start")
    recovery.ends(120)
    assert bench.statsd.counters[LOST_MESSAGES] > before
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


@pytest.mark.weekly
def test_object_storage_fails(bench: Bench, recovery: Recovery) -> None:
    """The client repeats its calls."""
    bench.storage_proxy.replacements = [b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"] * 3
    check_storage(bench, recovery)
    assert not bench.storage_proxy.replacements, "each was served"


@pytest.mark.weekly
def test_object_storage_cuts_its_bodies(bench: Bench, recovery: Recovery) -> None:
    bench.storage_proxy.cuts = 3
    check_storage(bench, recovery)
    assert bench.storage_proxy.cuts <= 0, "each was cut"


@pytest.mark.weekly
def test_object_storage_slow(bench: Bench, recovery: Recovery) -> None:
    bench.storage_proxy.delay = 2
    check_storage(bench, recovery)


def check_storage(bench: Bench, recovery: Recovery) -> None:
    """Check that a run succeeds, whatever its object storage does."""
    day = new_day()
    recovery.begins()
    run = start(bench, day=day)
    check_load(bench, run, day)
    recovery.ends(60)


@pytest.mark.weekly
def test_object_lost(bench: Bench, recovery: Recovery) -> None:
    """Between the task that writes it and the one that reads it: the run fails, until its first task is cleared."""
    day = new_day()
    run = start(bench, day=day)
    with bench.ledger.hold(run, "load", "start") as hold:
        bench.processes.wait(hold.reached.is_set, "the load to start")
        bench.processes.bucket().Object(f"ledger/{run}.json").delete()
        recovery.begins()
    check_failure(bench, run, day)
    recovery.ends(60)
    bench.api().post(
        "/dags/ledger_load/clearTaskInstances", {"dry_run": False, "dag_run_id": run, "only_failed": False}
    )
    check_load(bench, run, day, message=True)


@pytest.mark.weekly
def test_alert_sinks_away(bench: Bench, recovery: Recovery) -> None:
    """The message of a run that fails meanwhile is delivered once they are back."""
    run = start(bench, "ledger_fatal")
    with bench.ledger.hold(run, "only", "start") as hold:
        bench.processes.wait(hold.reached.is_set, "the task to start")
        assert hold.event
        bench.processes.kill("sinks")
        psutil.Process(hold.event.pid).kill()
    assert wait_until_terminal(bench, run) == "failed"
    drain(bench)
    bench.processes.ensure(["sinks"])
    recovery.begins()
    deliver_now(bench)
    check_messages(bench, run, failed=True)
    recovery.ends(60)


@pytest.mark.weekly
@pytest.mark.parametrize("step", ["start", "publish"])
def test_mlflow_away(bench: Bench, recovery: Recovery, step: str) -> None:
    """Before a version is published, and before it becomes champion: the next try completes it, and adds none."""
    bench.processes.ensure(["mlflow"])
    run = start(bench, "ledger_model")
    with bench.ledger.hold(run, "register", step) as hold:
        bench.processes.wait(hold.reached.is_set, f"the task to reach {step}")
        bench.processes.kill("mlflow")
        hold.released.set()
        bench.processes.wait(lambda: task_state(bench, run, "register") == "up_for_retry", "the first try to fail")
        bench.processes.ensure(["mlflow"])
        recovery.begins()
    assert wait_until_terminal(bench, run) == "success"
    recovery.ends(30)
    assert versions(bench, run) == {"champion": 1, "others": 0}
    bench.processes.kill("mlflow")
    check_messages(bench, run, failed=False)
    check_processes(bench)


def versions(bench: Bench, run: str) -> dict[str, int]:
    """Return how many versions of a run are champion, and how many aren't; they are read from MLflow's database."""
    query = """
        SELECT count(alias) AS champion, count(*) - count(alias) AS others
        FROM model_version_tags AS tag
        LEFT JOIN registered_model_aliases AS alias
        ON (alias.name, alias.version) = (tag.name, tag.version) AND alias = %s
        WHERE tag.name = %s AND key = %s AND value = %s
    """
    with bench.processes.session("mlflow") as session:
        row = session.execute(query, [CHAMPION, MODEL, TAG_CANDIDATE, run]).fetchone()
    assert row
    return row


@pytest.mark.weekly
def test_large_value_between_tasks(bench: Bench, recovery: Recovery) -> None:
    """4 MB go to object storage, and not through Airflow's database."""
    before = metadata_size(bench)
    recovery.begins()
    run = start(bench, "ledger_xcom", conf={"megabytes": 4})
    assert wait_until_terminal(bench, run) == "success"
    recovery.ends(60)
    assert any(f"/{run}/" in stored.key for stored in bench.processes.bucket().objects.filter(Prefix="xcom/"))
    assert metadata_size(bench) - before < MEGABYTE
    check_messages(bench, run, failed=False)


@pytest.mark.weekly
def test_too_large_value_between_tasks(bench: Bench, recovery: Recovery) -> None:
    """50 MB are refused, with a message that says what to do instead."""
    before = metadata_size(bench)
    recovery.begins()
    run = start(bench, "ledger_xcom", conf={"megabytes": 50})
    assert wait_until_terminal(bench, run) == "failed"
    recovery.ends(60)
    assert metadata_size(bench) - before < MEGABYTE
    check_messages(bench, run, failed=True)
    assert tries(bench, run)["produce"] == 1


def metadata_size(bench: Bench) -> int:
    """Return the bytes of Airflow's database."""
    with bench.processes.session("airflow") as session:
        row = session.execute("SELECT pg_database_size(current_database()) AS size").fetchone()
    assert row
    return int(row["size"])
