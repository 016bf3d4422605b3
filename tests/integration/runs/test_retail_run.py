"""Retail through Airflow: what arrives sets off the three, which leave what the one leaves; or nothing comes."""

from __future__ import annotations

import time
from datetime import UTC, date, datetime
from email import message_from_bytes, policy
from typing import Any

import psycopg
import pytest

from devstack.api import Airflow
from devstack.stack import Stack
from include.retail.tables import LINES, SALES
from include.warehouse.digest import table_digest
from tests.integration.runs.conftest import maker, server

DAY = date(2010, 12, 21)
CLOSED = date(2010, 12, 25)
CHAIN = ("retail_validate", "retail_transform", "retail_report")
PATIENCE = 180


def newest_mail(stack: Stack) -> tuple[str, str]:
    """Subject and body of the last mail that arrived."""
    path = max((stack.state.root / "alerts" / "mail").glob("*.eml"))
    message = message_from_bytes(path.read_bytes(), policy=policy.default)
    body = message.get_body(("html", "plain"))
    assert body is not None
    return str(message["Subject"]), str(body.get_content())


def published(stack: Stack) -> list[str]:
    """Digests of what lies in the warehouse of the day."""
    with psycopg.connect(server(stack).uri("warehouse")) as session:
        return [table_digest(session, dataset, DAY) for dataset in (LINES, SALES)]


def ended(airflow: Airflow, dag_id: str, begun: datetime) -> dict[str, Any]:
    """The first run of a DAG that assets started after ``begun``, once it has ended."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        for run in airflow.runs_since(dag_id, begun, "asset_triggered"):
            if run["state"] in {"success", "failed"}:
                return run
        time.sleep(0.5)
    pytest.fail(f"no run of {dag_id} ended within {PATIENCE} s")


def test_one_dag_and_three_leave_the_same_rows_and_send_the_same_mail(stack: Stack, asset_stack: Stack) -> None:
    alone = maker(stack)("retail_monolith", days=[DAY.isoformat()])
    assert alone.good, alone.text
    airflow, begun = Airflow.of(asset_stack.state), datetime.now(UTC)
    for dag_id in CHAIN:
        airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
    arrival = maker(asset_stack)("retail_arrival", DAY)
    assert arrival.good, arrival.text
    assert "nothing_came skipped" in arrival.text
    for dag_id in CHAIN:
        assert ended(airflow, dag_id, begun)["state"] == "success"
    assert published(asset_stack) == published(stack)
    subject, body = newest_mail(stack)
    assert subject.startswith("Retail sales: 47")
    assert f"<td>{DAY}</td>" in body
    assert newest_mail(asset_stack) == (subject, body)


def test_when_nothing_comes_the_team_is_told_and_the_run_is_a_success(stack: Stack) -> None:
    said = maker(stack)("retail_arrival", CLOSED)
    assert said.good, said.text
    for line in ("wait_for_tills deferred", "wait_for_tills skipped", "wait_for_file skipped", "nothing_came success"):
        assert line in said.text
    assert "land_file skipped" in said.text
    assert newest_mail(stack)[0] == f"No retail file of {CLOSED}"
