"""One bench for all tests here, and a table of the faults at the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.bench import COMPONENTS, Bench, open_bench
from tests.integration.conftest import folder_in_memory
from tests.unit.monitoring.promtool import program

FOLDER = Path(__file__).parent

# Properties of the tests' reports, which also reach the process that prints them when others run the tests.
RECOVERY, LEFT_OUT = "recovery", "left out"
_left_out: list[str] = []


class Recovery:
    """The time from a fault to the recovery, against a bound in seconds that is reported."""

    def __init__(self, test: pytest.Item) -> None:
        self._test = test
        self._began = time.monotonic()

    def begins(self) -> None:
        """The fault is being injected now."""
        self._began = time.monotonic()

    def ends(self, bound: float) -> None:
        """The bench has recovered."""
        self._test.user_properties.append((RECOVERY, [bound, time.monotonic() - self._began]))


@pytest.fixture(scope="session")
def session_bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    program("redis-server", "Redis")
    with folder_in_memory(tmp_path_factory) as folder, open_bench(folder / "state") as opened:
        opened.unpause()
        yield opened


@pytest.fixture
def bench(session_bench: Bench) -> Iterator[Bench]:
    """The bench, with everything running; also after the test."""
    session_bench.processes.ensure(COMPONENTS)
    for proxy in (session_bench.warehouse_proxy, session_bench.api_proxy, session_bench.storage_proxy):
        proxy.reset()
    session_bench.ledger.misbehaviours.clear()
    yield session_bench
    for hold in session_bench.ledger.holds:
        hold.released.set()


@pytest.fixture
def recovery(request: pytest.FixtureRequest) -> Recovery:
    return Recovery(request.node)


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _left_out.extend(item.name for item in items if FOLDER in item.path.parents)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Have the first test report what was left out."""
    first = next((item for item in session.items if FOLDER in item.path.parents), None)
    if first:
        first.user_properties.append((LEFT_OUT, _left_out))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what ran, with bound and measured recovery, and what did not."""
    reports = [
        (outcome, report)
        for outcome in ("passed", "failed", "error", "skipped")
        for report in terminalreporter.stats.get(outcome, ())
        if "tests/faults/" in report.nodeid
    ]
    if not reports:
        return
    terminalreporter.section("faults")
    left_out: dict[str, None] = {}
    for outcome, report in reports:
        properties = dict(report.user_properties)
        left_out |= dict.fromkeys(properties.get(LEFT_OUT, ()))
        bound, seconds = properties.get(RECOVERY, (0.0, 0.0))
        times = f"recovered in {seconds:.0f} s, bound {bound:.0f} s" if bound else ""
        late = " LATE" if seconds > bound else ""
        name = report.nodeid.rpartition("::")[2].removeprefix("test_")
        terminalreporter.write_line(f"{outcome:8} {name:60} {times}{late}")
    for name in left_out:
        terminalreporter.write_line(f"{'not run':8} {name.removeprefix('test_'):60} `make faults` runs it")
