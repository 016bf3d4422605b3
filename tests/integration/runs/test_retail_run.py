"""`retail_arrival` through Airflow, when no file arrives."""

from __future__ import annotations

from datetime import date

from devstack.stack import Stack
from devstack.upstreams.client import Control
from tests.integration.runs.conftest import Make, newest_mail

CLOSED = date(2010, 12, 25)


def test_without_a_file_the_team_is_notified_and_the_run_succeeds(
    make_run: Make, stack: Stack, control: Control
) -> None:
    with control.scenario("client_error", path="/tills", status=404):
        result = make_run("retail_arrival", CLOSED)
    assert result.good, result.text
    for line in (
        "wait_for_tills deferred",
        "wait_for_tills skipped",
        "wait_for_file skipped",
        "notify_no_file success",
    ):
        assert line in result.text
    assert "land_file skipped" in result.text
    assert newest_mail(stack)[0] == f"No retail file of {CLOSED}"
