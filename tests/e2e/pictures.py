"""Recreate every picture in ``docs/images`` from real runs on a separate stack; called by ``.ci/pictures``."""

from __future__ import annotations

import io
import json
import sys

from playwright.sync_api import Browser
from rich.console import Console
from rich.terminal_theme import SVG_EXPORT_THEME
from rich.text import Text

from devstack.api import Airflow
from devstack.environment import ADMIN, local_url
from devstack.state import REPOSITORY, State
from tests.e2e import browser as chromium
from tests.e2e import slack_blocks
from tests.e2e.browser import WebUI
from tests.e2e.embedded.session import FinishedRun, Terminal

IMAGES = REPOSITORY / "docs" / "images"
COLUMNS = 110
PAGE = """<body style="margin:0;background:{background}">
<pre style="display:inline-block;margin:0;padding:20px 24px;color:{foreground};font:14px 'DejaVu Sans Mono',monospace">
{code}</pre></body>"""


def main() -> int:
    """Run the DAGs, take the pictures; return the exit code."""
    executable = chromium.find()
    if executable is None:
        print(chromium.HOW_TO_INSTALL, file=sys.stderr)
        return 1
    IMAGES.mkdir(parents=True, exist_ok=True)
    terminal = Terminal(REPOSITORY / ".devstack" / "pictures")
    try:
        _run(terminal, "--date", "2024-06-01")  # warms up the stack
        latest = _run(terminal)
        terminal.devstack("run", "notify_example", "--conf", '{"fail": true}')
        _run(terminal, "--as", "backfill", "--date", "2024-06-01", "--to", "2024-06-30")
        _write((terminal.root / "reports" / "weather_data.png").read_bytes(), "weather_data")
        with chromium.launched(executable) as browser:
            _write(_picture_of(browser, f"$ make run\n{latest.output}"), "make_run")
            _write(_alert(browser, terminal), "alert")
            _draw_web_ui(browser, State.open(terminal.root), latest)
    finally:
        terminal.devstack("clean")
    return 0


def _run(terminal: Terminal, *arguments: str) -> FinishedRun:
    """Run the weather pipeline, in colour; a failure ends the program with its output."""
    colours = {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    run = FinishedRun.of(terminal.devstack("run", *arguments, **colours))
    if run.exit_code:
        sys.exit(run.output)
    return run


def _picture_of(browser: Browser, printed: str) -> bytes:
    """Return a PNG of a command's output."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO())
    console.print(Text.from_ansi(printed), soft_wrap=True)
    page = browser.new_page(device_scale_factor=1.25)
    page.set_content(console.export_html(theme=SVG_EXPORT_THEME, code_format=PAGE, inline_styles=True))
    return page.locator("pre").screenshot()


def _alert(browser: Browser, terminal: Terminal) -> bytes:
    """Return a PNG of the message in Slack that a run has failed."""
    posted = [json.loads(file.read_bytes()) for file in sorted((terminal.root / "alerts" / "slack").glob("*.json"))]
    [failed] = [message for message in posted if message["text"].startswith("Failed: ")]
    page = browser.new_page(device_scale_factor=1.25)
    page.set_content(slack_blocks.page(failed["blocks"]))
    return page.locator("main").screenshot()


def _draw_web_ui(browser: Browser, state: State, run: FinishedRun) -> None:
    """Take the pictures of the web UI; a DAG file that doesn't load ends the program."""
    if errors := Airflow.of(state).import_errors():
        sys.exit(f"these DAG files don't load, and the pictures would show it: {', '.join(errors)}")
    web_ui = WebUI.open(browser, local_url(state, "api"))
    web_ui.log_in(ADMIN, state.secret(ADMIN))
    web_ui.page.goto(run.link)
    web_ui.settle()
    web_ui.show_graph()
    web_ui.settle()
    _write(web_ui.page.screenshot(), "graph")
    web_ui.go("/plugin/data-health")
    web_ui.settle()
    _write(web_ui.page.screenshot(), "data_health")


def _write(png: bytes, name: str) -> None:
    """Write a picture to ``docs/images``."""
    path = IMAGES / f"{name}.png"
    path.write_bytes(png)
    print(f"{path.relative_to(REPOSITORY)}: {len(png) / 1000:.0f} kB")


if __name__ == "__main__":
    sys.exit(main())
