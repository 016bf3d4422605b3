"""Faults of what comes from outside: upstreams, overlapping runs, DAG files."""

from __future__ import annotations

from datetime import date

import pytest

from devstack.trigger import Kind, Request
from devstack.trigger import start as start_runs
from tests.faults.bench import Bench
from tests.faults.checks import check_failure, check_load, new_day, start, tries, wait_until_terminal
from tests.faults.conftest import Recovery
from tests.faults.responses import PERMANENT, TRANSIENT

QUICK = {"cut"}
NEXT_TRY = {"busy envelope", "drip"}  # the client sees a complete answer, or no time left for another


@pytest.mark.parametrize(
    "response", [pytest.param(name, marks=() if name in QUICK else pytest.mark.weekly) for name in TRANSIENT]
)
def test_upstream_misbehaves(bench: Bench, recovery: Recovery, response: str) -> None:
    day = new_day()
    times = 1 if response in NEXT_TRY else 2
    bench.ledger.misbehaviours = [TRANSIENT[response]] * times
    recovery.begins()
    run = start(bench, day=day)
    check_load(bench, run, day)
    recovery.ends(60 if response in NEXT_TRY else 30)
    assert not bench.ledger.misbehaviours, "each was served"
    assert tries(bench, run)["extract"] == (2 if response in NEXT_TRY else 1)  # else the client repeats the call itself


@pytest.mark.weekly
@pytest.mark.parametrize("response", PERMANENT)
def test_upstream_answers_nonsense(bench: Bench, recovery: Recovery, response: str) -> None:
    day = new_day()
    bench.ledger.misbehaviours = [PERMANENT[response]]
    recovery.begins()
    run = start(bench, day=day)
    check_failure(bench, run, day)
    recovery.ends(30)
    assert tries(bench, run)["extract"] == 1


def test_runs_of_every_type_for_one_day(bench: Bench, recovery: Recovery) -> None:
    day = new_day()
    details = bench.api().dag("ledger_load")
    assert details
    recovery.begins()
    runs = [start(bench, day=day), start(bench, day=day)]
    for kind in (Kind.BACKFILL, Kind.SCHEDULED):
        request = Request("ledger_load", kind, date.fromisoformat(day), date.fromisoformat(day), {})
        runs += start_runs(request, bench.api(), bench.processes, details)
    assert {wait_until_terminal(bench, run) for run in runs} == {"success"}
    recovery.ends(60)
    check_load(bench, runs[0], day)


def test_dag_file_that_exits_at_import(bench: Bench, recovery: Recovery) -> None:
    """Its error is shown, and the other files are parsed as before."""
    file = bench.processes.dags / "exits.py"
    file.write_text("import sys\n\nsys.exit(3)\n")
    try:
        recovery.begins()
        bench.processes.wait(lambda: "exits.py" in bench.api().import_errors(), "the import error")
        recovery.ends(60)
        day = new_day()
        run = start(bench, day=day)
        check_load(bench, run, day)
    finally:
        file.unlink()
