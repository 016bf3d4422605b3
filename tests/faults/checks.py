"""What must hold after every fault."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from datetime import date, timedelta
from itertools import count
from typing import Any

from devstack.postgres import WAREHOUSE
from include.ops.alerts.pending import PREFIX
from tests.faults.bench import DRAIN, Bench

TERMINAL = {"success", "failed"}
FIRST_DAY = date(2024, 3, 1)
_days = count()


def new_day() -> str:
    """Return a day that no other test has loaded."""
    return (FIRST_DAY + timedelta(days=next(_days))).isoformat()


def start(bench: Bench, dag_id: str = "ledger_load", day: str = "", conf: Mapping[str, Any] | None = None) -> str:
    """Start a run, of a day, or with another conf; return its id."""
    run_id = f"fault_{dag_id}_{time.time_ns()}"
    body = {"dag_run_id": run_id, "logical_date": None, "conf": conf or ({"day": day} if day else {})}
    bench.api().post(f"/dags/{dag_id}/dagRuns", body)
    return run_id


def run_state(bench: Bench, run: str) -> str:
    """Return a run's state; it is read from the database, since the API may be away."""
    with bench.processes.session("airflow") as session:
        row = session.execute("SELECT state FROM dag_run WHERE run_id = %s", [run]).fetchone()
    return str(row["state"]) if row else ""


def tasks(bench: Bench, run: str) -> list[dict[str, Any]]:
    """Return the task instances of a run, by task."""
    with bench.processes.session("airflow") as session:
        query = """
            SELECT task_id, map_index, state, try_number, pid, queued_dttm FROM task_instance
            WHERE run_id = %s ORDER BY task_id, map_index
        """
        return session.execute(query, [run]).fetchall()


def tries(bench: Bench, run: str) -> dict[str, int]:
    """Return the number of tries of each task."""
    return {row["task_id"]: row["try_number"] for row in tasks(bench, run)}


def wait_until_terminal(bench: Bench, run: str) -> str:
    """Wait until a run has ended; return its state."""
    bench.processes.wait(lambda: run_state(bench, run) in TERMINAL, f"{run} to end")
    return run_state(bench, run)


def wait_with_restarts(bench: Bench, run: str) -> str:
    """Wait until a run has ended, starting components that end meanwhile, as Compose does; return its state."""

    def has_ended() -> bool:
        bench.processes.restart_ended()
        return run_state(bench, run) in TERMINAL

    bench.processes.wait(has_ended, f"{run} to end")
    return run_state(bench, run)


def task_state(bench: Bench, run: str, task: str) -> str:
    """Return the state of a task of a run."""
    return next(str(row["state"]) for row in tasks(bench, run) if row["task_id"] == task)


def check_load(bench: Bench, run: str, day: str, *, commits: int = 1, message: bool = False) -> None:
    """Wait until a run of ``ledger_load`` has succeeded, and check what it has left.

    Args:
        bench: the bench.
        run: id of the run.
        day: its day.
        commits: how many of its tries may have committed; all but the first must have changed nothing.
        message: whether it had failed before, and has told so.
    """
    assert wait_until_terminal(bench, run) == "success", tasks(bench, run)
    bench.processes.wait(lambda: not open_transactions(bench), "open transactions to end")
    with bench.processes.session(WAREHOUSE) as session:
        ids = [row["id"] for row in session.execute("SELECT id FROM ledger_rows WHERE day = %s", [day])]
        loads = session.execute(
            "SELECT load_id, try_number, changed, removed FROM load_log WHERE run_id = %s ORDER BY load_id", [run]
        ).fetchall()
        unlogged = session.execute(
            "SELECT count(*) AS rows FROM ledger_rows WHERE load_id NOT IN (SELECT load_id FROM load_log)"
        ).fetchone()
    assert Counter(ids) == Counter(bench.ledger.served[day])
    assert 1 <= len(loads) <= commits, loads
    assert not any(load["changed"] or load["removed"] for load in loads[1:]), loads
    assert len({load["try_number"] for load in loads}) == len(loads), f"a try committed twice: {loads}"
    assert unlogged == {"rows": 0}
    check_messages(bench, run, failed=message)
    check_processes(bench)


def check_failure(bench: Bench, run: str, day: str) -> None:
    """Wait until a run of ``ledger_load`` has failed; check that it has loaded nothing, and has sent one message."""
    assert wait_until_terminal(bench, run) == "failed", tasks(bench, run)
    with bench.processes.session(WAREHOUSE) as session:
        rows = session.execute("SELECT count(*) AS rows FROM ledger_rows WHERE day = %s", [day]).fetchone()
        loads = session.execute("SELECT load_id FROM load_log WHERE run_id = %s", [run]).fetchall()
    assert rows == {"rows": 0}
    assert not loads
    check_messages(bench, run, failed=True)
    check_processes(bench)


def open_transactions(bench: Bench) -> list[dict[str, Any]]:
    """Return the statements after which a session on the warehouse is idle in its transaction."""
    with bench.processes.session(WAREHOUSE) as session:
        return session.execute("SELECT query FROM pg_stat_activity WHERE state = 'idle in transaction'").fetchall()


def check_messages(bench: Bench, run: str, *, failed: bool) -> None:
    """Check that a failed run has one message that says so, and another none; no message came twice."""
    slack = bench.processes.state.root / "alerts" / "slack"

    def received() -> list[str]:
        texts = [path.read_text() for path in slack.glob("[0-9]*")]
        return [json.loads(text).get("text", "") for text in texts if run in text]

    if failed:
        bench.processes.wait(received, f"the message of {run}")
    deliver_now(bench)
    messages = received()
    assert sum(message.startswith("Failed") for message in messages) == int(failed), messages
    assert len(messages) == len(set(messages)), messages


def deliver_now(bench: Bench) -> None:
    """Deliver what is pending, and what waits for its next attempt; where nothing does, there is nothing to deliver."""
    with bench.processes.session(WAREHOUSE) as session:
        now = "SET next_at = now(), due_at = least(due_at, now()) WHERE sent_at IS NULL RETURNING id"
        waiting = session.execute(f"UPDATE alert_outbox {now}").fetchall()
    with bench.processes.session("airflow") as session:
        pending = session.execute("SELECT key FROM variable WHERE starts_with(key, %s)", [PREFIX]).fetchall()
    if waiting or pending:
        drain(bench)


def drain(bench: Bench) -> None:
    """Deliver what is pending or waits, as ``alerts_drain`` does; here it is paused otherwise."""
    bench.api().patch(f"/dags/{DRAIN}", {"is_paused": False})
    try:
        assert wait_until_terminal(bench, start(bench, DRAIN)) == "success"
    finally:
        bench.api().patch(f"/dags/{DRAIN}", {"is_paused": True})


def check_processes(bench: Bench) -> None:
    """Check that no process is left over."""
    bench.processes.wait(lambda: not bench.processes.strays(), "processes that were left over to end")
