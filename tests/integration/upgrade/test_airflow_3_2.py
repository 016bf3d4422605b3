"""The metadata database of Airflow 3.2, migrated: its history is readable, and its DAGs go on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.runs.conftest import until
from tests.integration.upgrade import snapshot
from tests.integration.upgrade.archive import AIRFLOW_3_2, PLAIN, WAITING
from tests.integration.upgrade.conftest import Upgraded, missing, upgraded

DEFAULT_POOL = '{"description": "Default pool", "name": "default_pool", "slots": 128}'
"""The embedded stack sets the slots of the pools that it declares."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Upgraded]:
    with upgraded(tmp_path_factory, AIRFLOW_3_2, PLAIN, schedule=True) as old:
        yield old


def test_everything_that_was_readable_is(old: Upgraded) -> None:
    assert all(old.before.values()), "the archive has something of each kind"
    after = snapshot.take(old.airflow)
    lost = missing(old.before, after)
    assert lost.pop("pools") == [DEFAULT_POOL]
    assert lost == {}


def test_every_run_has_the_same_outcome_when_it_is_repeated(old: Upgraded) -> None:
    runs = old.before["runs"]
    assert {run["run_type"] for run in runs} == {"manual", "scheduled", "backfill", "asset_triggered"}
    for run in runs:
        path = f"/dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}"
        old.airflow.post(f"{path}/clear", {"dry_run": False})
    assert {run["dag_run_id"]: old.state(run) for run in runs} == {run["dag_run_id"]: run["state"] for run in runs}
    for run in runs:
        tries = {task["try_number"] for task in old.airflow.task_instances(run["dag_id"], run["dag_run_id"])}
        assert max(tries) >= 2, run


def test_a_run_that_waited_during_the_upgrade_ends(old: Upgraded) -> None:
    [run] = old.airflow.get("/dags/plain_waiter/dagRuns")["dag_runs"]

    def waits() -> bool:
        states = {task["state"] for task in old.airflow.task_instances("plain_waiter", run["dag_run_id"])}
        return "deferred" in states

    until(old.stack, waits, "the trigger")
    old.airflow.post("/dags/plain_success/dagRuns", {"logical_date": WAITING})
    assert old.state(run) == "success"
    tries = {t["task_id"]: t["try_number"] for t in old.airflow.task_instances("plain_waiter", run["dag_run_id"])}
    assert tries["deferred"] == 1
