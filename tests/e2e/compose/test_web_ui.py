"""A visitor of the web UI in a real Chromium: log in, trigger the weather pipeline, watch it turn green, read its log.

Its screenshots are kept if ``SPELLBOOK_PICTURES`` names a folder.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from devstack.api import Airflow
from tests.e2e.browser import WebUI, is_green
from tests.e2e.compose.stack import Compose, finish, soon

TASKS = ("create_table", "extract_weather", "transform_weather", "load_weather")


@pytest.fixture(scope="module")
def visitor(browser: Browser, compose: Compose) -> WebUI:
    web_ui = WebUI.open(browser, compose.url)
    web_ui.log_in("admin", compose.password)
    return web_ui


def keep(web_ui: WebUI, name: str) -> None:
    """Take a screenshot of the page, if screenshots are requested."""
    if folder := os.environ.get("SPELLBOOK_PICTURES"):
        web_ui.settle()
        web_ui.page.screenshot(path=Path(folder) / f"{name}.png")


def test_the_login_form_refuses_airflow_airflow(browser: Browser, compose: Compose) -> None:
    other_visitor = WebUI.open(browser, compose.url)
    other_visitor.submit_login("airflow", "airflow")
    expect(other_visitor.page.get_by_text("Invalid login")).to_be_visible()
    assert "/auth/login" in other_visitor.page.url
    keep(other_visitor, "compose_login")


def test_a_triggered_pipeline_turns_green_and_logs_what_was_loaded(web_ui: WebUI, airflow: Airflow) -> None:
    page = web_ui.page
    web_ui.go("/dags/weather_data_pipeline")
    page.get_by_role("button", name="Trigger").first.click()
    form = page.get_by_role("dialog")
    form.get_by_test_id("datetime-input").first.click()
    page.get_by_placeholder("YYYY/MM/DD").fill("2024/06/10")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    keep(web_ui, "compose_trigger")
    form.get_by_role("button", name="Trigger").click()
    soon(lambda: bool(manual_run(airflow)), "the run exists")
    run_id = manual_run(airflow)
    web_ui.go(f"/dags/weather_data_pipeline/runs/{run_id}")
    for task_id in TASKS:
        expect(web_ui.grid_cell(run_id, task_id).get_by_test_id("task-state-badge")).to_be_visible()
    badges = [web_ui.grid_cell(run_id, task_id).get_by_test_id("task-state-badge") for task_id in TASKS]
    soon(lambda: all(map(is_green, badges)), "every task is green")
    assert finish(airflow, "weather_data_pipeline", run_id) == "success"
    expect(page.get_by_test_id("state-badge").filter(has_text="Running")).to_have_count(0)
    keep(web_ui, "compose_grid")
    web_ui.grid_cell(run_id, "load_weather").click()
    expect(page.get_by_test_id("virtualized-list")).to_contain_text("3 in = 3 loaded + 0 quarantined")
    keep(web_ui, "compose_log")


def manual_run(airflow: Airflow) -> str:
    """Return the id of the run of 2024-06-10; empty if there is none."""
    runs = airflow.get("/dags/weather_data_pipeline/dagRuns", run_type="manual", limit=100)["dag_runs"]
    return next((str(run["dag_run_id"]) for run in runs if str(run["logical_date"]).startswith("2024-06-10")), "")


def test_the_import_error_of_a_broken_file_is_shown(
    web_ui: WebUI, airflow: Airflow, drop: Callable[[str, str], None]
) -> None:
    drop("broken_for_all_to_see.py", "import nothing_of_this_name\n")
    soon(lambda: "broken_for_all_to_see.py" in airflow.import_errors(), "the import error is listed")
    web_ui.go("/")
    web_ui.page.get_by_text("Dag Import Error").first.click()
    web_ui.page.get_by_role("dialog").get_by_text("broken_for_all_to_see.py").first.click()
    expect(web_ui.page.get_by_text("No module named 'nothing_of_this_name'").first).to_be_visible()
    keep(web_ui, "compose_import_error")
