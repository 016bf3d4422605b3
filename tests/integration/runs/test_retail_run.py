"""`retail_arrival` through Airflow, when nothing arrives."""

from __future__ import annotations

from datetime import date

from devstack.stack import Stack
from devstack.upstreams.client import Control
from tests.integration.runs.conftest import Make, newest_mail

CLOSED = date(2010, 12, 25)


def test_when_nothing_comes_the_team_is_told_and_the_run_is_a_success(
    make_run: Make, stack: Stack, control: Control
) -> None:
    with control.scenario("client_error", path="/tills", status=404):
        said = make_run("retail_arrival", CLOSED)
    assert said.good, said.text
    for line in ("wait_for_tills deferred", "wait_for_tills skipped", "wait_for_file skipped", "nothing_came success"):
        assert line in said.text
    assert "land_file skipped" in said.text
    assert newest_mail(stack)[0] == f"No retail file of {CLOSED}"
