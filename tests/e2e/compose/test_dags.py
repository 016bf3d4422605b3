"""Every DAG, as a user of the demo starts it: by unpausing it or, without a schedule, by Trigger with an empty form."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from devstack.api import Airflow
from include import settings
from include.core.ml.serving.client import ModelServer
from include.domains.titanic.spec import TITANIC
from tests.e2e.compose.stack import Compose, finish, soon, trigger
from tests.e2e.dags import DAG_IDS

ELSEWHERE = {
    "big_data_spark": "needs the image target spark and the profile spark",
    "pandas_in_kubernetes": "needs a cluster",
}
"""DAGs that this stack doesn't run, and why; tests/integration/runs runs them."""

NOT_HERE = {"kubernetes_default", "metadata_default", "spark_default"}
"""Connections that lead nowhere in the profiles demo and ml."""

LOADED = "SELECT coalesce(sum(loaded), 0) FROM load_log WHERE dag_id = '{dag_id}' AND run_id = '{run_id}'"
READ_BACK = {
    "analytics_dbt": "SELECT count(*) FROM analytics.daily_sales",
    "analytics_dbt_plain": "SELECT count(*) FROM analytics_plain.daily_sales",
    "check_sources": "SELECT count(*) FROM information_schema.tables WHERE table_name = 'sales_data'",
    "customer_report": LOADED,
    "etl_status_checker": "SELECT count(*) FROM etl_daily_revenue WHERE day = current_date - 1",
    "large_data_handoff": LOADED,
    "long_running_etl": LOADED,
    "model_monitoring": LOADED,
    "process_finance_data": LOADED,
    "process_marketing_data": LOADED,
    "process_sales_data": LOADED,
    "process_support_data": LOADED,
    "retail_arrival": "SELECT count(*) FROM retail_lines WHERE day = current_date - 1",  # loaded by a triggered DAG
    "retail_monolith": LOADED,
    "retail_report": "SELECT count(*) FROM retail_sales WHERE day = current_date - 1",
    "retail_transform": LOADED,
    "retail_validate": LOADED,
    "weather_data_pipeline": LOADED,
}
"""Query that must return a number above 0 after a run."""

WITHOUT_ROWS = {
    "alerts_drain": "sends pending alerts",
    "fragile_task": "fails as often as configured",
    "maintenance": "only reports what it would remove",
    "mlflow_integration": "writes to MLflow",
    "my_first_spell": "prints",
    "notify_example": "sends a message",
    "sagemaker_deployment": "its endpoint has responded, otherwise the run fails",
    "titanic_ml_pipeline": "its model has responded, otherwise the run fails",
}
WEEKLY = {
    "analytics_dbt_plain": "another DAG runs the same dbt project",
    "check_sources": "it reads what the first fill loads",
    "customer_report": "another DAG loads from the same API",
    "etl_status_checker": "another DAG waits in the triggerer",
    "large_data_handoff": "other DAGs hand files over through S3",
    "long_running_etl": "another DAG waits in the triggerer",
    "mlflow_integration": "another DAG trains, and writes to MLflow",
    "process_marketing_data": "the first fill runs it",
    "process_support_data": "the first fill runs it",
    "retail_monolith": "three other DAGs run the same tasks",
}
"""DAGs that run here only weekly, and why; tests/integration/runs runs them for every push."""

LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)


def day(date: str, after: str) -> dict[str, Any]:
    """A data interval of a day."""
    begin, end = f"{date}T00:00:00Z", f"{after}T00:00:00Z"
    return {"logical_date": begin, "data_interval_start": begin, "data_interval_end": end}


KELLY: dict[str, Any] = {
    "Pclass": 3, "Name": "Kelly, Mr. James", "Sex": "male", "SibSp": 0, "Parch": 0, "Ticket": "330911"
}  # fmt: skip
DAGS = sorted(set(DAG_IDS) - ELSEWHERE.keys())


@pytest.fixture(scope="module")
def filled(compose: Compose) -> None:
    """Wait until the first fill reports its end."""
    while not re.search(
        "sample passengers|sample traffic|not complete", log := compose.run("logs", "first-fill").stdout
    ):
        time.sleep(2)
    assert "first fill: done" in log
    assert "sample passengers" in log


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, compose: Compose, filled: None) -> dict[str, list[str]]:
    """The runs of each DAG that a selected test uses, all started at once."""
    del filled
    airflow = compose.airflow()
    selected = {item.callspec.params.get("dag_id") for item in request.session.items if hasattr(item, "callspec")}
    return {dag_id: start(airflow, dag_id) for dag_id in DAGS if dag_id in selected}


@pytest.mark.parametrize(
    "dag_id", [pytest.param(dag_id, marks=pytest.mark.weekly if dag_id in WEEKLY else ()) for dag_id in DAGS]
)
def test_every_run_succeeds(compose: Compose, airflow: Airflow, runs: dict[str, list[str]], dag_id: str) -> None:
    for run_id in runs[dag_id]:
        require_success(airflow, dag_id, run_id)
        if dag_id not in WITHOUT_ROWS:
            statement = READ_BACK[dag_id].format(dag_id=dag_id, run_id=run_id)
            [(count,)] = compose.query("warehouse", "warehouse", statement)
            assert int(count) > 0 or is_superseded(airflow, dag_id, run_id), statement


def test_every_dag_has_an_expected_result() -> None:
    assert READ_BACK.keys() | WITHOUT_ROWS.keys() == set(DAGS)


@pytest.mark.parametrize("dag_id", ["titanic_ml_pipeline"])
def test_the_model_server_responds_and_stores_its_predictions(
    compose: Compose, airflow: Airflow, runs: dict[str, list[str]], dag_id: str
) -> None:
    for run_id in runs[dag_id]:
        require_success(airflow, dag_id, run_id)
    response = ModelServer(compose.address("model-server", 8000), TITANIC).predict([KELLY])
    assert not response["predictions"][0]["survived"]
    query = "SELECT inputs->>'Name' FROM predictions WHERE purpose = 'live'"
    soon(lambda: compose.query("warehouse", "warehouse", query) == [(KELLY["Name"],)], "the prediction is stored")


def start(airflow: Airflow, dag_id: str) -> list[str]:
    """Unpause a DAG; return the ids of its scheduled runs, or of a manual one if none is due."""
    path = f"/dags/{dag_id}"
    due = airflow.get(path)["next_dagrun_run_after"]
    airflow.patch(path, {"is_paused": False})
    if due and datetime.fromisoformat(due) <= datetime.now(UTC):
        soon(lambda: bool(airflow.runs_since(dag_id, LONG_AGO, "scheduled")), f"{dag_id} has a scheduled run")
    scheduled = [str(run["dag_run_id"]) for run in airflow.runs_since(dag_id, LONG_AGO, "scheduled")]
    return scheduled or [trigger(airflow, dag_id, logical_date=f"{datetime.now(UTC):%FT%TZ}")]


def require_success(airflow: Airflow, dag_id: str, run_id: str) -> None:
    """Wait for a run, which must succeed; its logs are shown if it doesn't."""
    if finish(airflow, dag_id, run_id) != "success":
        started = [task for task in airflow.task_instances(dag_id, run_id) if task["try_number"]]
        logs = {task["task_id"]: [task["state"], *airflow.log(task)[-20:]] for task in started}
        raise AssertionError(f"{dag_id} {run_id}: {logs}")


def is_superseded(airflow: Airflow, dag_id: str, run_id: str) -> bool:
    """Return whether a task of the run was skipped because another run had asked later for the same day."""
    skipped = [task for task in airflow.task_instances(dag_id, run_id) if task["state"] == "skipped"]
    return any("superseded" in line for task in skipped if task["try_number"] for line in airflow.log(task))


def test_every_declared_pool_exists(airflow: Airflow) -> None:
    pools = {pool["name"]: pool["slots"] for pool in airflow.get("/pools")["pools"]}
    assert pools == {pool.name: pool.slots for pool in settings.POOLS}


def test_every_declared_connection_exists(airflow: Airflow) -> None:
    stored = {
        item["connection_id"]: item["conn_type"] for item in airflow.get("/connections", limit=100)["connections"]
    }
    assert stored == {
        declared.conn_id: declared.conn_type for declared in settings.CONNECTIONS if declared.conn_id not in NOT_HERE
    }


def test_files_and_task_logs_are_kept_in_s3(compose: Compose, airflow: Airflow) -> None:
    run_id = trigger(airflow, "weather_data_pipeline", **day("2024-06-02", "2024-06-03"))
    assert finish(airflow, "weather_data_pipeline", run_id) == "success"
    assert compose.objects("storage/")
    assert compose.objects(f"logs/dag_id=weather_data_pipeline/run_id={run_id}/")
    (load,) = (
        task for task in airflow.task_instances("weather_data_pipeline", run_id) if task["task_id"] == "load_weather"
    )
    assert any("3 in = 3 loaded + 0 quarantined" in line for line in airflow.log(load))
