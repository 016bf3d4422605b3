"""Injects random faults while runs of the ledger's DAGs go on, and checks everything that they have left.

``python -m tests.faults.soak --faults 100 --seed 7`` injects the same faults, in the same order and with the same
pauses, as every other run with this seed; what each of them hits depends on the machine. Ctrl-C or SIGTERM ends
it early, with a check of what was done.
"""

from __future__ import annotations

import argparse
import os
import random
import secrets
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

import psutil
import psycopg
import redis

from devstack.api import Airflow
from devstack.errors import StackError
from tests.faults.audit import Audit
from tests.faults.bench import Bench, kill_all, open_bench
from tests.faults.responses import TRANSIENT
from tests.integration.conftest import MEMORY

FIRST_DAY = date(2000, 1, 1)
ACTIVE = 6  # runs at a time
FEED_SECONDS = 1.0
SHARES = {"ledger_load": 24, "ledger_fatal": 4, "ledger_wait": 1}
AUDIT_EACH = 250  # faults
PAUSE = (0.2, 1.5)  # seconds between two faults
OUTAGE = (0.3, 2.0)
WORKERS = ("worker", "worker-second")

Fault = Callable[[Bench, random.Random], bool]
"""Injects a fault; returns whether it had something to hit."""


def running_tasks(bench: Bench) -> list[tuple[psutil.Process, psutil.Process]]:
    """Return the supervisor and the process of each task that runs."""
    found = []
    for name in WORKERS:
        if bench.processes.is_running(name):
            for supervisor in bench.processes.process(name).children():
                found += [(supervisor, task) for task in supervisor.children()]
    return found


def kill_task(bench: Bench, rng: random.Random) -> bool:
    tasks = running_tasks(bench)
    if tasks:
        rng.choice(tasks)[1].kill()
    return bool(tasks)


def kill_supervisor(bench: Bench, rng: random.Random) -> bool:
    tasks = running_tasks(bench)
    if tasks:
        rng.choice(tasks)[0].kill()
    return bool(tasks)


def kill_celery_main(bench: Bench, rng: random.Random) -> bool:
    name = rng.choice(WORKERS)
    if not bench.processes.is_running(name):
        return False
    kill_all(bench.processes.kill_main(name))
    return True


def kill(*names: str) -> Fault:
    def fault(bench: Bench, rng: random.Random) -> bool:
        name = rng.choice(names)
        runs = bench.processes.is_running(name)
        if runs:
            bench.processes.kill(name)
        return runs

    return fault


def terminate_worker(bench: Bench, rng: random.Random) -> bool:
    name = rng.choice(WORKERS)
    runs = bench.processes.is_running(name)
    if runs:
        bench.processes.terminate(name)
    return runs


def end_sessions(database: str) -> Fault:
    def fault(bench: Bench, _: random.Random) -> bool:
        return bench.processes.end_sessions(database) > 0

    return fault


def lose_commit(bench: Bench, _: random.Random) -> bool:
    """Lose the reply to the next COMMIT, unless the last one to be lost hasn't come yet."""
    armed = bench.warehouse_proxy.loses_commit
    if not armed:
        bench.warehouse_proxy.lose_next_commit()
    return not armed


def refuse_warehouse(bench: Bench, rng: random.Random) -> bool:
    with bench.warehouse_proxy.away():
        time.sleep(rng.uniform(*OUTAGE))
    return True


def refuse_api(bench: Bench, rng: random.Random) -> bool:
    with bench.api_proxy.away():
        time.sleep(rng.uniform(*OUTAGE))
    return True


def silence_api(bench: Bench, rng: random.Random) -> bool:
    with bench.api_proxy.silent():
        time.sleep(rng.uniform(*OUTAGE))
    return True


def drop_api(bench: Bench, _: random.Random) -> bool:
    return bench.api_proxy.drop() > 0


def drop_warehouse(bench: Bench, _: random.Random) -> bool:
    return bench.warehouse_proxy.drop() > 0


def flush_broker(bench: Bench, _: random.Random) -> bool:
    runs = bench.processes.is_running("redis")
    if runs:
        bench.processes.redis().flushall()
    return runs


def misbehave(bench: Bench, rng: random.Random) -> bool:
    bench.ledger.misbehaviours.append(TRANSIENT[rng.choice(sorted(TRANSIENT))])
    return True


FAULTS: dict[str, tuple[int, Fault]] = {
    "task killed": (20, kill_task),
    "supervisor killed": (8, kill_supervisor),
    "Celery's main process killed": (1, kill_celery_main),
    "worker killed": (1, kill(*WORKERS)),
    "worker terminated": (1, terminate_worker),
    "scheduler killed": (1, kill("scheduler")),
    "triggerer killed": (1, kill("triggerer")),
    "DAG processor killed": (1, kill("dag-processor")),
    "API server killed": (1, kill("api-server")),
    "warehouse killed": (4, kill("warehouse")),
    "warehouse's sessions ended": (10, end_sessions("warehouse")),
    "warehouse refuses": (5, refuse_warehouse),
    "warehouse's connections dropped": (8, drop_warehouse),
    "reply to a commit lost": (10, lose_commit),
    "metadata database killed": (1, kill("metadata")),
    "metadata sessions ended": (2, end_sessions("airflow")),
    "broker killed": (3, kill("redis")),
    "broker flushed": (1, flush_broker),
    "API refuses tasks": (5, refuse_api),
    "API doesn't answer tasks": (3, silence_api),
    "API connections dropped": (8, drop_api),
    "object storage killed": (1, kill("s3")),
    "alert sinks killed": (2, kill("sinks")),
    "upstream misbehaves": (8, misbehave),
}
"""The faults by name, each with its share."""


@dataclass
class Soak:
    """A run of the soak on an open bench.

    Attributes:
        bench: the bench.
        seed: of the faults.
        hit: how often each fault had something to hit.
        problems: what the audits found, and what ended the soak or its runs.
    """

    bench: Bench
    seed: int
    hit: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    _started: int = 0
    _api: Airflow | None = None
    _feeding: threading.Lock = field(default_factory=threading.Lock)
    _ended: threading.Event = field(default_factory=threading.Event)

    def inject(self, faults: int) -> None:
        """Inject faults and keep runs going; check everything after each :data:`AUDIT_EACH` of them, and at the end."""
        audit = Audit(self.bench)
        feeder = threading.Thread(target=self._keep_feeding, daemon=True)
        feeder.start()
        try:
            self._inject_all(faults, audit)
            ended = "all faults were injected"
        except KeyboardInterrupt:
            ended = "ended early by a signal"
        except Exception as error:
            ended = f"ended early: {error!r}"
            self._report([ended])
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        self._ended.set()
        feeder.join()
        self._audit(audit, ended)
        if not audit.runs:
            self._report(["no run has ended, so nothing was checked"])

    def _inject_all(self, faults: int, audit: Audit) -> None:
        began, number = time.monotonic(), 0
        names, weights = list(FAULTS), [weight for weight, _ in FAULTS.values()]
        while (done := self.hit.total()) < faults:
            number += 1
            rng = random.Random(f"{self.seed}-{number}")
            time.sleep(rng.uniform(*PAUSE))
            [name] = rng.choices(names, weights)
            if not self._inject(name, rng):
                continue
            self.hit[name] += 1
            print(f"{time.monotonic() - began:6.0f} s  {number:5}  {name}", flush=True)
            self.bench.processes.revive()
            if (done + 1) % AUDIT_EACH == 0:
                self._audit(audit, f"{AUDIT_EACH} more faults were injected")

    def _inject(self, name: str, rng: random.Random) -> bool:
        try:
            return FAULTS[name][1](self.bench, rng)
        except (psutil.Error, psycopg.OperationalError, redis.RedisError, AssertionError):  # ended, or hasn't restarted
            return False

    def _keep_feeding(self) -> None:
        try:
            while not self._ended.wait(FEED_SECONDS):
                with self._feeding:
                    self._feed()
        except Exception as error:
            self._report([f"no more runs are started: {error!r}"])

    def _feed(self) -> None:
        """Start runs, as far as the API server and the database can be used."""
        try:
            with self.bench.processes.session("airflow") as session:
                query = "SELECT run_id, dag_id FROM dag_run WHERE state IN ('queued', 'running')"
                active = session.execute(query).fetchall()
            self.bench.ledger.opened |= {run["run_id"] for run in active if run["dag_id"] == "ledger_wait"}
            if len(active) < ACTIVE:
                self._start()
        except (StackError, psycopg.OperationalError):
            self._api = None

    def _start(self) -> None:
        self._started += 1
        [dag_id] = random.Random(f"{self.seed}-run-{self._started}").choices(list(SHARES), list(SHARES.values()))
        day = FIRST_DAY + timedelta(days=self._started)
        self._api = self._api or self.bench.api()
        conf = {"day": day.isoformat()} if dag_id == "ledger_load" else {}
        body = {"dag_run_id": f"soak_{self._started:06}", "logical_date": None, "conf": conf}
        self._api.post(f"/dags/{dag_id}/dagRuns", body)

    def _audit(self, audit: Audit, reason: str) -> None:
        self.bench.ledger.misbehaviours.clear()
        with self._feeding:
            problems = audit.check()
        summary = f"{audit.summary()}; faults: {self.hit.total()}; problems: {len(problems)}"
        print(f"audit, since {reason}: {summary}", flush=True)
        self._report(problems)

    def _report(self, problems: list[str]) -> None:
        self.problems += problems
        for problem in problems:
            print(f"  PROBLEM: {problem}", flush=True)


def main() -> int:
    """Run the soak; the exit status is 1 if a check failed."""
    for number in (signal.SIGINT, signal.SIGTERM):  # also as a background job, which ignores the former
        signal.signal(number, signal.default_int_handler)
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--faults", type=int, default=50, help="number of faults (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of the faults (default: random)")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}: `make faults-soak FAULTS={arguments.faults} SEED={arguments.seed}` repeats it")
    with tempfile.TemporaryDirectory(
        prefix="spellbook-soak-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None
    ) as name:
        Path(name).chmod(0o755)
        with open_bench(Path(name) / "state") as bench:
            bench.unpause()
            soak = Soak(bench, arguments.seed)
            soak.inject(arguments.faults)
    for name, count in sorted(soak.hit.items()):
        print(f"{count:6}  {name}")
    print(f"{soak.hit.total()} faults with seed {arguments.seed}, {len(soak.problems)} problem(s)")
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
