"""Data health in Airflow's web UI, in a real Chromium: found, read, accessible."""

from __future__ import annotations

import pytest
import requests
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FrameLocator, ViewportSize, expect

from tests.e2e.browser import SIZE, WebUI
from tests.e2e.embedded.session import FinishedRun, Up

PATHS = ("", "datasets/weather_data", "models", "alerts")
PHONE = ViewportSize(width=390, height=844)


@pytest.fixture(scope="module")
def visitor(browser: Browser, up: Up) -> WebUI:
    web_ui = WebUI.open(browser, up.url)
    web_ui.log_in(up.user, up.password)
    return web_ui


@pytest.fixture
def framed(web_ui: WebUI) -> FrameLocator:
    """The page, opened through Airflow's navigation."""
    web_ui.page.get_by_role("button", name="Browse", exact=True).click()
    web_ui.page.get_by_role("menuitem", name="Data health").click()
    return web_ui.page.frame_locator("iframe[title='Data health']")


def test_a_dataset_and_its_run_are_reached_by_clicks(
    framed: FrameLocator, web_ui: WebUI, finished_run: FinishedRun
) -> None:
    framed.get_by_role("link", name="weather_data", exact=True).click()
    rows = framed.get_by_role("region", name="Rows", exact=True)
    expect(rows.get_by_role("cell", name="London").first).to_be_visible()
    expect(framed.get_by_role("img", name="temperature by date")).to_be_visible()
    framed.get_by_role("region", name="Last loads").get_by_role("link", name=finished_run.run_id, exact=True).click()
    expect(web_ui.page.locator("iframe[title='Data health']")).to_have_count(0)
    expect(web_ui.page.get_by_test_id("task-load_weather")).to_be_visible()


def test_the_page_follows_the_theme_of_airflow(framed: FrameLocator, web_ui: WebUI) -> None:
    root = framed.locator("html")
    expect(root).to_have_css("color-scheme", "light")
    web_ui.page.evaluate("document.documentElement.style.colorScheme = 'dark'")
    expect(root).to_have_css("color-scheme", "dark")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_accessible_in_light_and_dark_and_fits_a_phone(
    web_ui: WebUI, path: str, finished_run: FinishedRun
) -> None:
    assert finished_run.exit_code == 0
    page = web_ui.page
    backgrounds = set()
    try:
        for size in (SIZE, PHONE):
            page.set_viewport_size(size)
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme)
                web_ui.go(f"/data-health/{path}")
                violations = Axe().run(page).response["violations"]
                assert [(item["id"], item["nodes"][0]["html"]) for item in violations] == []
                assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
                backgrounds.add(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    finally:
        page.set_viewport_size(SIZE)
        page.emulate_media(color_scheme="light")
    assert len(backgrounds) == 2


@pytest.mark.parametrize("path", [*PATHS, "static/style.css"])
def test_nothing_is_shown_without_a_login(up: Up, path: str) -> None:
    assert requests.get(f"{up.url}/data-health/{path}", timeout=60).status_code == requests.codes.unauthorized
