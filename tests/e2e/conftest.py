"""What the end-to-end tests share: a real Chromium, and a copy of the repository."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.e2e import browser as chromium
from tests.e2e.browser import WebUI
from tests.e2e.compose import engine
from tests.e2e.scratch import copy_repository


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The repository as it is now, committed."""
    copy_repository(tmp_path)
    return tmp_path


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
    """Report what could not be tested; here, since the process that reports doesn't load the folders' conftest."""
    untested = {
        "THE WEB UI WAS NOT TESTED": chromium.HOW_TO_INSTALL if chromium.find() is None else "",
        "THE COMPOSE STACK WAS NOT TESTED": engine.missing(),
    }
    for title, reason in untested.items():
        if reason:
            terminalreporter.section(title, sep="!", red=True, bold=True)
            terminalreporter.write_line(reason)
