"""Conf that would stop a component is refused, wherever it comes from; afterwards everything works."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest

from devstack.api import Airflow, RefusedError
from devstack.load import load
from devstack.stack import Stack
from tests.integration.runs.conftest import Make, newest_mail, server, until
from tests.integration.runs.test_alerts import drain, ended

PLANTED = Path(__file__).parent / "planted" / "conf.py"
READER, ASSET = "conf_reader", "conf_read"
HARMFUL: dict[str, tuple[Any, str]] = {
    "large_integer": (2**64, r"\.a\[0\]: 18446744073709551616 is out of range; allowed: -9223372036854775808 to"),
    "small_integer": (-(2**63) - 1, r"\.a\[0\]: -9223372036854775809 is out of range"),
    "large_float": (1e30, r"\.a\[0\]: 1E\+30 is out of range"),
    "surrogate": ("\ud800", r"\.a\[0\]: the text contains a NUL character or a lone surrogate"),
    "nested": (json.loads("[" * 50 + "]" * 50), "nested more than 32 levels deep"),
    "long": ("x" * 100_000, r"the request has 100\d+ bytes; allowed: 65536"),
}


@pytest.fixture(scope="module")
def airflow(stack: Stack) -> Iterator[Airflow]:
    """Airflow with the planted DAGs."""
    file = stack.dags / PLANTED.name
    file.write_text(PLANTED.read_text())
    airflow = Airflow.of(stack.state)
    load(airflow, READER, stack)
    yield airflow
    file.unlink()


def runs(airflow: Airflow) -> list[dict[str, Any]]:
    return list(airflow.get(f"/dags/{READER}/dagRuns")["dag_runs"])


@pytest.mark.parametrize("name", HARMFUL)
def test_a_person_cannot_send_it(airflow: Airflow, name: str) -> None:
    value, message = HARMFUL[name]
    days = {"from_date": "2024-06-01T00:00:00Z", "to_date": "2024-06-02T00:00:00Z"}
    asset_id = next(asset["id"] for asset in airflow.assets() if asset["name"] == ASSET)
    before = len(runs(airflow))
    for path, field, body in (
        (f"/dags/{READER}/dagRuns", "conf", {"logical_date": None}),
        ("/backfills", "dag_run_conf", {"dag_id": READER} | days),
        ("/assets/events", "extra", {"asset_id": asset_id}),
    ):
        with pytest.raises(RefusedError, match=message) as refusal:
            airflow.post(path, body | {field: {"a": [value]}})
        assert refusal.value.status == 422
    assert len(runs(airflow)) == before
    assert not airflow.events(ASSET)


@pytest.mark.parametrize("dag_id", ["conf_large_float", "conf_large_integer"])
def test_a_task_cannot_send_it(airflow: Airflow, make_run: Make, dag_id: str) -> None:
    before = len(runs(airflow))
    result = make_run(dag_id)
    assert not result.good
    assert "out of range" in result.text or "can't serialize ints" in result.text
    assert len(runs(airflow)) == before


def test_conf_that_came_another_way_fails_the_run(airflow: Airflow, stack: Stack) -> None:
    """As from `airflow dags trigger`, or stored by an earlier release."""
    path = f"/dags/{READER}"
    airflow.patch(path, {"is_paused": True})
    run_id = airflow.post(f"{path}/dagRuns", {"logical_date": None, "conf": {"a": 1}})["dag_run_id"]
    with psycopg.connect(server(stack).uri("airflow")) as metadata:
        metadata.execute("UPDATE dag_run SET conf = %s WHERE run_id = %s", [json.dumps({"a": 2**64}), run_id])
    airflow.patch(path, {"is_paused": False})
    assert until(stack, partial(ended, airflow, READER, run_id), READER) == "failed"
    run = airflow.get(f"{path}/dagRuns/{run_id}")
    assert run["note"].startswith(
        "refused: conf.a: 18446744073709551616 is out of range; allowed: -9223372036854775808"
    )
    assert {item["state"] for item in airflow.task_instances(READER, run_id)} <= {None}
    drain(stack, airflow)
    subject, body = newest_mail(stack)
    assert READER in subject
    assert "conf.a: 18446744073709551616 is out of range" in body


def test_afterwards_the_dag_processor_parses_and_runs_callbacks(airflow: Airflow, stack: Stack, make_run: Make) -> None:
    assert make_run(READER, largest=2**63 - 1, smallest=-(2**63), text="é").good
    assert not make_run(READER, fail=True).good
    load(airflow, READER, stack)
    assert airflow.get("/monitor/health")["dag_processor"]["status"] == "healthy"
