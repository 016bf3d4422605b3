"""One embedded stack with its web UI for all tests here, started and stopped as a user does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.embedded.session import FinishedRun, Terminal, Up, interrupt, survivors


@pytest.fixture(scope="package")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """``python -m devstack up``; Ctrl-C at the end must stop all processes."""
    terminal = Terminal(tmp_path_factory.mktemp("e2e") / "state")
    try:
        with terminal.up() as running:
            yield running
            family = terminal.family()
            exit_code = interrupt(running.process)
        remaining = survivors(family)
        assert family
        assert exit_code == 0, running.log.read_text()
        assert not remaining, "Ctrl-C left these running:\n" + "\n".join(remaining)
    finally:
        cleaned = terminal.devstack("clean")
        assert cleaned.returncode == 0, cleaned.stdout


@pytest.fixture(scope="package")
def finished_run(up: Up) -> FinishedRun:
    """The weather pipeline, run from a second terminal while ``up`` is running."""
    return FinishedRun.of(up.terminal.devstack("run", "weather_data_pipeline"))
