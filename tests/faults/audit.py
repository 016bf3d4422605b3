"""Checks all that the runs of a soak have left, once every one of them has ended."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg

from devstack.errors import StackError
from devstack.postgres import WAREHOUSE
from tests.faults.bench import COMPONENTS, Bench
from tests.faults.checks import TERMINAL, deliver_now, open_transactions

DRAINS = 2
STALLED_SECONDS = (
    900.0  # longer than ``task_queued_timeout``: until then, what a killed worker had received stays queued
)


@dataclass
class Audit:
    """The checks of a bench; each run is checked once, those from before not at all.

    Attributes:
        bench: the bench.
        runs: number of runs by DAG and state.
        repeated: messages that were delivered again after a crash between delivery and its mark in the outbox.
    """

    bench: Bench
    runs: Counter[str] = field(default_factory=Counter)
    repeated: int = 0
    _checked: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._checked |= {run["run_id"] for run in self._runs()}

    def check(self) -> list[str]:
        """Wait until everything runs and every run has ended; return what is wrong, also with the check itself."""
        self.bench.warehouse_proxy.reset()
        try:
            self._wait_until_ended()
            runs = [run for run in self._runs() if run["run_id"] not in self._checked]
            problems = [*self._check_loads(runs), *self._check_messages(runs)]
        except (StackError, psycopg.Error, AssertionError) as error:
            return [f"the audit didn't end: {error!r}", *self.bench.processes.strays()]
        self._checked |= {run["run_id"] for run in runs}
        self.runs.update(f"{run['dag_id']} {run['state']}" for run in runs)
        return problems

    def _wait_until_ended(self) -> None:
        processes = self.bench.processes
        self._wait(self._everything_runs, "all components to run")
        self._wait(self._all_ended, "all runs to end")
        self._wait(lambda: not open_transactions(self.bench), "open transactions to end")
        self._wait(lambda: not processes.strays(), "processes that were left over to end")

    def _wait(self, condition: Callable[[], bool], what: str) -> None:
        def holds() -> bool:
            try:
                return condition()
            except (StackError, psycopg.OperationalError):  # a component needs another one, or a database restarts
                return False

        self.bench.processes.wait(holds, what, STALLED_SECONDS)

    def summary(self) -> str:
        """Return the number of runs, and of repeated messages."""
        runs = ", ".join(f"{count} {name}" for name, count in sorted(self.runs.items()))
        return f"{runs}; messages repeated after a crash: {self.repeated}"

    def _runs(self) -> list[dict[str, Any]]:
        with self.bench.processes.session("airflow") as session:
            query = """
                SELECT
                    dag_id, run_id, state,
                    coalesce(conf ->> 'day', (data_interval_start AT TIME ZONE 'UTC')::date::text) AS day
                FROM dag_run WHERE dag_id LIKE 'ledger%' ORDER BY run_id
            """
            return session.execute(query).fetchall()

    def _everything_runs(self) -> bool:
        self.bench.processes.restart_ended()
        self.bench.processes.ensure(COMPONENTS)
        return True

    def _all_ended(self) -> bool:
        self.bench.processes.restart_ended()
        runs = self._runs()
        self.bench.ledger.opened |= {run["run_id"] for run in runs if run["dag_id"] == "ledger_wait"}
        return all(run["state"] in TERMINAL for run in runs)

    def _check_loads(self, runs: list[dict[str, Any]]) -> Iterator[str]:
        """Check that each id is loaded once, and that no load but the first of its day has changed anything."""
        with self.bench.processes.session(WAREHOUSE) as session:
            for run in runs:
                if run["dag_id"] != "ledger_load":
                    continue
                day, name = run["day"], f"{run['run_id']} ({run['state']})"
                ids = [row["id"] for row in session.execute("SELECT id FROM ledger_rows WHERE day = %s", [day])]
                loads = session.execute(
                    "SELECT load_id, try_number, loaded, changed, removed FROM load_log"
                    " WHERE dataset = 'ledger_rows' AND partition_key = %s ORDER BY load_id",
                    [day],
                ).fetchall()
                served = self.bench.ledger.served.get(day, set())
                if (run["state"] == "success" or loads) and Counter(ids) != Counter(served):
                    yield f"{name}: {len(ids)} rows, {len(set(ids))} ids, {len(served)} served; loads: {loads}"
                if ids and not loads:
                    yield f"{name}: {len(ids)} rows of a load that isn't logged"
                if any(load["changed"] or load["removed"] for load in loads[1:]):
                    yield f"{name}: a second commit had an effect: {loads}"
                if len({load["try_number"] for load in loads}) != len(loads):
                    yield f"{name}: a try committed twice: {loads}"

    def _check_messages(self, runs: list[dict[str, Any]]) -> Iterator[str]:
        """Check that each failed run has one message in the outbox, delivered, and that all deliveries add up."""
        failed = Counter(run["run_id"] for run in runs if run["state"] == "failed")
        with self.bench.processes.session(WAREHOUSE) as session:
            for _ in range(DRAINS):  # it imports pending alerts, and sends them in the next round
                deliver_now(self.bench)
            rows = session.execute(
                "SELECT run_id, kind, sent_at, kept_back FROM alert_outbox"
                " WHERE medium = 'slack' AND dag_id LIKE 'ledger%'"
            ).fetchall()
        listed = Counter(row["run_id"] for row in rows if row["kind"] == "failed")
        names = {run["run_id"] for run in runs}
        if wrong := {run: count for run, count in listed.items() if run in names and count != failed[run]}:
            yield f"messages for runs that didn't fail, or several: {wrong}"
        if missing := sorted(run for run in failed if not listed[run]):
            yield f"failed runs without a message: {missing}"
        unsent = [row for row in rows if row["sent_at"] is None or row["kept_back"]]
        if unsent:
            yield f"messages that weren't delivered: {unsent}"
        received = sum(_alerts(path.read_text()) for path in self._messages())
        self.repeated = received - len(rows)
        if received < len(rows):
            yield f"{received} messages received, but {len(rows)} marked as sent"

    def _messages(self) -> Iterator[Any]:
        return (self.bench.processes.state.root / "alerts" / "slack").glob("[0-9]*")


def _alerts(text: str) -> int:
    """Return how many alerts about the ledger's DAGs a message has; a digest has many."""
    summary = json.loads(text).get("text", "")
    number, _, rest = summary.partition(" alerts: ")
    if number.isdecimal() and rest:
        return int(number)
    return int("ledger_" in summary)
