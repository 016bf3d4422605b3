"""The web UI, in a real Chromium."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from include import settings
from spellbook.provider import get_provider_info
from tests.e2e.browser import WebUI, is_green
from tests.e2e.dags import DAG_IDS
from tests.e2e.embedded.session import FinishedRun, Up

TASKS = ("create_table", "extract_weather", "transform_weather", "load_weather")
CONNECTION_TYPES = {info["connection-type"]: info for info in get_provider_info()["connection-types"]}


@pytest.fixture(scope="module")
def visitor(browser: Browser, up: Up) -> WebUI:
    web_ui = WebUI.open(browser, up.url)
    web_ui.log_in(up.user, up.password)
    return web_ui


def test_the_login_form_refuses_airflow_airflow_and_accepts_the_printed_credentials(browser: Browser, up: Up) -> None:
    other_visitor = WebUI.open(browser, up.url)
    other_visitor.submit_login("airflow", "airflow")
    expect(other_visitor.page.get_by_text("Invalid credentials")).to_be_visible()
    assert "/auth/login" in other_visitor.page.url
    other_visitor.log_in(up.user, up.password)
    expect(other_visitor.page.get_by_test_id("nav-dags-link")).to_be_visible()


def test_the_home_page_says_where_connections_and_rows_are(web_ui: WebUI) -> None:
    expect(web_ui.page.get_by_text("so Admin > Connections is empty")).to_be_visible()
    expect(web_ui.page.get_by_text("make sql", exact=True)).to_be_visible()


def test_every_dag_is_listed(web_ui: WebUI) -> None:
    cards = web_ui.dag_cards()
    assert sorted(cards.get_by_test_id("dag-id").all_inner_texts()) == DAG_IDS


def test_the_grid_shows_each_task_of_the_run_in_green(web_ui: WebUI, finished_run: FinishedRun) -> None:
    web_ui.page.goto(finished_run.link)
    for task_id in TASKS:
        expect(web_ui.page.get_by_test_id(f"task-{task_id}")).to_have_text(task_id)
        badge = web_ui.grid_cell(finished_run.run_id, task_id).get_by_test_id("task-state-badge")
        expect(badge).to_be_visible()
        assert is_green(badge), task_id


def test_the_graph_shows_each_task_of_the_run_as_a_success(web_ui: WebUI, finished_run: FinishedRun) -> None:
    web_ui.page.goto(finished_run.link)
    nodes = web_ui.show_graph()
    assert {text.split()[0]: text.split()[-1] for text in nodes.all_inner_texts()} == dict.fromkeys(TASKS, "success")
    web_ui.show_grid()


def test_the_log_of_a_task_shows_what_was_loaded(web_ui: WebUI, finished_run: FinishedRun) -> None:
    web_ui.page.goto(finished_run.link)
    web_ui.grid_cell(finished_run.run_id, "load_weather").click()
    expect(web_ui.page.get_by_test_id("virtualized-list")).to_contain_text("3 in = 3 loaded + 0 quarantined")


def test_the_documentation_of_the_dag_is_shown(web_ui: WebUI, finished_run: FinishedRun) -> None:
    web_ui.go(f"/dags/{finished_run.dag_id}")
    web_ui.page.get_by_role("button", name="Dag Docs").click()
    headings = web_ui.page.get_by_role("dialog").get_by_role("heading")
    expect(headings).to_have_text(["Dag Documentation", "What", "Inputs", "Outputs", "On failure"])


@pytest.mark.parametrize("conn_type", ["open_meteo", "openweathermap"])
def test_the_connection_form_offers_our_types(web_ui: WebUI, conn_type: str) -> None:
    connection_type = CONNECTION_TYPES[conn_type]
    web_ui.administer("Connections")
    web_ui.page.get_by_role("button", name="Add Connection").click()
    form = web_ui.page.get_by_role("dialog")
    form.get_by_role("combobox").click()
    web_ui.page.get_by_role("option", name=connection_type["hook-name"], exact=True).click()
    for label in connection_type["ui-field-behaviour"]["relabeling"].values():
        expect(form.get_by_text(label, exact=True)).to_be_visible()
    for name, placeholder in connection_type["ui-field-behaviour"]["placeholders"].items():
        expect(form.locator(f"input[name={name}]")).to_have_attribute("placeholder", placeholder)
    expect(form.get_by_text("Login", exact=True)).to_have_count(0)
    if extras := connection_type.get("conn-fields", {}):
        form.get_by_role("button", name="Extra Fields", exact=True).click()
    for extra in extras.values():
        expect(form.get_by_text(extra["label"], exact=True)).to_be_visible()
    form.get_by_role("button", name="Close").click()


def test_the_declared_pools_are_listed(web_ui: WebUI) -> None:
    web_ui.administer("Pools")
    for pool in settings.POOLS:
        expect(web_ui.page.get_by_text(f"{pool.name} ({pool.slots} Slots)")).to_be_visible()
        expect(web_ui.page.get_by_text(pool.doc)).to_be_visible()
