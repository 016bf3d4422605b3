"""Faults of what comes from outside: upstreams, overlapping runs, DAG files."""

from __future__ import annotations

from datetime import date

import pytest

from devstack.trigger import Kind, Request
from devstack.trigger import start as start_runs
from tests.faults.bench import Bench
from tests.faults.checks import check_load, new_day, start, tries, wait_until_terminal
from tests.faults.conftest import Recovery
from tests.faults.ledger import Handler, Misbehaviour

RESPONSES: dict[str, Misbehaviour] = {
    "cut": lambda handler, rows: handler.answer({"rows": rows}, announced=100_000),
    "reset": lambda handler, _: handler.reset(),
    "busy": lambda handler, _: handler.answer({"detail": "busy"}, 503),
    "limited": lambda handler, _: handler.answer({"detail": "slow down"}, 429),
    "html": lambda handler, _: _html(handler),
}
RARE = ("reset", "busy", "limited", "html")


def _html(handler: Handler) -> None:
    handler.send_response(502)
    handler.end_headers()
    handler.wfile.write(b"<html>Bad gateway</html>")
    handler.close_connection = True


@pytest.mark.parametrize("response", ["cut", *(pytest.param(name, marks=pytest.mark.weekly) for name in RARE)])
def test_upstream_misbehaves(bench: Bench, recovery: Recovery, response: str) -> None:
    day = new_day()
    bench.ledger.misbehaviours = [RESPONSES[response]] * 2
    recovery.begins()
    run = start(bench, day=day)
    check_load(bench, run, day)
    recovery.ends(30)
    assert not bench.ledger.misbehaviours, "each was served"
    assert tries(bench, run)["extract"] == 1  # the client repeats the call itself


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
