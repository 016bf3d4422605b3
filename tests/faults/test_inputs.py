"""Faults of what comes from outside: upstreams, overlapping runs, DAG files."""

from __future__ import annotations

from datetime import date

import pytest

from devstack.trigger import Kind, Request
from devstack.trigger import start as start_runs
from tests.faults import BUDGET_SECONDS, CALLS, CALLS_A_TASK
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


@pytest.mark.parametrize("manual", [2, pytest.param(6, marks=pytest.mark.weekly)])
def test_runs_of_every_type_for_one_day(bench: Bench, recovery: Recovery, manual: int) -> None:
    day = new_day()
    details = bench.api().dag("ledger_load")
    assert details
    recovery.begins()
    runs = [start(bench, day=day) for _ in range(manual)]
    request = Request("ledger_load", Kind.BACKFILL, date.fromisoformat(day), date.fromisoformat(day), {})
    runs += start_runs(request, bench.api(), bench.processes, details)
    runs.append(bench.processes.create_scheduled_run("ledger_load", day))
    assert {wait_until_terminal(bench, run) for run in runs} == {"success"}
    recovery.ends(60)
    check_load(bench, runs[0], day)


def test_dag_file_that_exits_at_import(bench: Bench, recovery: Recovery) -> None:
    """Its error is shown, and the other files are parsed as before."""
    file = bench.processes.dags / "exits.py"
    file.write_text("import sys\n\nsys.exit(3)\n")
    try:
        recovery.begins()
        bench.processes.wait_for_parse(lambda: "exits.py" in bench.api().import_errors(), "the import error")
        recovery.ends(60)
        day = new_day()
        run = start(bench, day=day)
        check_load(bench, run, day)
    finally:
        file.unlink()


@pytest.mark.weekly
def test_dag_file_that_never_ends_at_import(bench: Bench, recovery: Recovery) -> None:
    """Its error is shown, and a file that arrives at the same time is parsed meanwhile."""
    endless, other = bench.processes.dags / "endless.py", bench.processes.dags / "other.py"
    endless.write_text("while True:\n    pass\n")
    other.write_text((bench.processes.dags / "ledger_fatal.py").read_text().replace("ledger_fatal", "other"))
    try:
        recovery.begins()
        bench.processes.wait_for_parse(lambda: "other" in bench.api().dag_ids(), "the other file to be parsed")
        bench.processes.wait_for_parse(lambda: "endless.py" in bench.api().import_errors(), "the import error")
        recovery.ends(180)
        day = new_day()
        check_load(bench, start(bench, day=day), day)
    finally:
        endless.unlink()
        other.unlink()


@pytest.mark.weekly
@pytest.mark.parametrize(
    "text",
    ["name: [", "name: shop\n", "x: !!python/object/apply:os.system [exit]\n", "&a [*a, *a]\n", "\x00\xff"],
    ids=["not YAML", "incomplete", "object", "recursive", "binary"],
)
def test_source_that_is_not_valid(bench: Bench, recovery: Recovery, text: str) -> None:
    """A file of one source is wrong; the DAG of the other is parsed and runs."""
    file = bench.processes.dags / "shops" / "bad.yaml"
    file.write_text(text, encoding="latin-1")
    try:
        recovery.begins()
        bench.processes.reparse("process_shop_data.py")
        assert "process_shop_data.py" not in bench.api().import_errors()
        run = start(bench, "process_shop_data", conf={"day": new_day()})
        assert wait_until_terminal(bench, run) == "success"
        recovery.ends(60)
    finally:
        file.unlink()


@pytest.mark.weekly
def test_limit_of_calls_over_four_processes(bench: Bench, recovery: Recovery) -> None:
    """No call is one too many; the bound is the time in which nine tenths of the allowed calls are made."""
    run = start(bench, "ledger_budget")
    bench.processes.wait(lambda: bench.ledger.calls, "the first call")
    recovery.begins()
    bench.processes.wait(lambda: len(bench.ledger.calls) == 4 * CALLS_A_TASK, "the last call")
    recovery.ends((4 * CALLS_A_TASK / CALLS - 1) * BUDGET_SECONDS / 0.9)
    assert wait_until_terminal(bench, run) == "success"
    assert len(bench.ledger.calls) == 4 * CALLS_A_TASK
    assert bench.ledger.refused == 0
