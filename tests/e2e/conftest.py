"""What the end-to-end tests share: a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e import browser as chromium


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        pytest.skip(chromium.HOW_TO_INSTALL)
    with chromium.launched(executable) as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say once more, where nobody overlooks it, that the browser tests were left out."""
    if chromium.find() is None:
        terminalreporter.section("THE WEB UI WAS NOT TESTED", sep="!", red=True, bold=True)
        terminalreporter.write_line(chromium.HOW_TO_INSTALL)
