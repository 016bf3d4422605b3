"""Airflow's web UI in a real, headless Chromium."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Locator,
    Page,
    Request,
    Response,
    ViewportSize,
    expect,
    sync_playwright,
)

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
HOW_TO_INSTALL = (
    "no Chromium was found; install one with `apt install chromium`, `dnf install chromium` "
    "or `brew install --cask chromium`"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SIZE = ViewportSize(width=1440, height=900)
GREEN_HUES = range(120, 171)
PATIENCE_MS = 300_000  # a busy machine makes a page slow
expect.set_options(timeout=PATIENCE_MS)


def find() -> str | None:
    """Return the path of the Chromium of this machine; ``None`` if there is none."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched(executable: str) -> Iterator[Browser]:
    """A Chromium with a new, empty profile."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, headless=True, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@dataclass
class WebUI:
    """One visitor of the web UI at ``url``: no cookies at first, light theme, UTC, 1440 by 900 pixels.

    ``problems`` fills, from the login on, with what a browser's developer tools would show in red: errors on the
    console, refused requests, and requests to any other server.
    """

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)

    @classmethod
    def open(cls, browser: Browser, url: str) -> WebUI:
        """Open the web UI without cookies or storage of earlier visits."""
        page = browser.new_context(
            viewport=SIZE, color_scheme="light", locale="en-US", timezone_id="UTC", reduced_motion="reduce"
        ).new_page()
        page.set_default_timeout(PATIENCE_MS)
        return cls(page, url)

    def submit_login(self, user: str, password: str) -> None:
        """Fill in and submit the login form."""
        if not self.page.url.startswith(f"{self.url}/auth/login"):
            self.page.goto(self.url)
        self.page.locator("input[name=username]").fill(user)
        self.page.locator("input[name=password]").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def log_in(self, user: str, password: str) -> None:
        """Log in, and watch for problems from then on."""
        self.submit_login(user, password)
        self.page.wait_for_url(f"{self.url}/")
        self.page.on("console", self._note_message)
        self.page.on("pageerror", lambda error: self.problems.append(f"uncaught: {error}"))
        self.page.on("response", self._note_response)
        self.page.on("request", self._note_request)

    def go(self, path: str) -> None:
        """Open a page by its path and wait until its requests are done."""
        self.page.goto(f"{self.url}{path}")
        self.page.wait_for_load_state("networkidle")

    def administer(self, entry: str) -> None:
        """Choose an entry of the menu Admin."""
        self.page.get_by_role("button", name="Admin", exact=True).click()
        self.page.get_by_role("menuitem", name=entry).click()
        self.page.wait_for_load_state("networkidle")

    def dag_cards(self) -> Locator:
        """Show the list of DAGs; return its cards."""
        self.go("/dags?limit=100")
        cards = self.page.get_by_test_id("dag-card")
        cards.first.wait_for()
        return cards

    def grid_cell(self, run_id: str, task_id: str) -> Locator:
        """Return the cell of one task of one run in the grid of the page shown."""
        return self.page.get_by_test_id(f"grid-{run_id}-{task_id}")

    def show_graph(self) -> Locator:
        """Turn the grid of the page shown into the graph; return its nodes."""
        self.page.get_by_role("button", name="Show Graph").click()
        nodes = self.page.locator(".react-flow__node")
        expect(nodes.first).to_contain_text("success")
        return nodes

    def show_grid(self) -> None:
        """Turn the graph of the page shown back into the grid."""
        self.page.get_by_test_id("grid-view-button").click()

    def settle(self) -> None:
        """Wait until the page's requests are done and it is drawn."""
        self.page.wait_for_load_state("networkidle")
        self.page.wait_for_timeout(1000)

    def _note_message(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"console: {message.text}")

    def _note_response(self, response: Response) -> None:
        if response.status >= 400:
            self.problems.append(f"{response.status} {response.request.method} {response.url}")

    def _note_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.url}/", "data:", "blob:")):
            self.problems.append(f"requested from another server: {request.url}")


def is_green(element: Locator) -> bool:
    """Return whether the background of an element, which Airflow gives as ``oklch(lightness chroma hue)``, is green."""
    colour = element.evaluate("element => getComputedStyle(element).backgroundColor")
    match = re.fullmatch(r"oklch\(\S+ \S+ ([\d.]+)\)", colour)
    return match is not None and int(float(match[1])) in GREEN_HUES
