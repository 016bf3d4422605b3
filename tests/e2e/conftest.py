"""What the end-to-end tests share: a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.e2e import browser as chromium
from tests.e2e.browser import WebUI


@pytest.fixture(scope="module")  # while it is open, other tests can't run an event loop
def browser() -> Iterator[Browser]:
    executable = chromium.find()
    if executable is None:
        pytest.skip(chromium.HOW_TO_INSTALL)
    with chromium.launched(executable) as running:
        yield running


@pytest.fixture
def web_ui(visitor: WebUI) -> Iterator[WebUI]:
    """The home page, as the module's ``visitor`` who is logged in; no error may appear in the developer tools."""
    visitor.problems.clear()
    visitor.go("/")
    yield visitor
    assert visitor.problems == []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Report in the summary that the browser tests were skipped."""
    if chromium.find() is None:
        terminalreporter.section("THE WEB UI WAS NOT TESTED", sep="!", red=True, bold=True)
        terminalreporter.write_line(chromium.HOW_TO_INSTALL)
