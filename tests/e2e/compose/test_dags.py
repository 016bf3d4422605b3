"""Every DAG, started through the REST API, reaches success, and the warehouse holds what it should."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from devstack.api import Airflow
from include import settings
from include.serving.client import ModelServer
from tests.e2e.compose.stack import Compose, finish, soon, trigger
from tests.e2e.dags import DAG_IDS


@dataclass(frozen=True)
class Case:
    """How a DAG is started, and what the warehouse answers afterwards.

    Attributes:
        body: of the request that starts it.
        rows: statement to what it must return.
        after: the DAGs whose runs it builds on.
        scheduled: the run that the schedule makes when the DAG is unpaused is the one; none is started besides.
    """

    body: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, list[tuple[str, ...]]] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    scheduled: bool = False


def day(date: str, after: str) -> dict[str, Any]:
    """A data interval of a day."""
    begin, end = f"{date}T00:00:00Z", f"{after}T00:00:00Z"
    return {"logical_date": begin, "data_interval_start": begin, "data_interval_end": end}


ELSEWHERE = {
    "analytics_dbt": "the same models as analytics_dbt_plain, a task each",
    "big_data_spark": "wants the image target spark and the profile spark",
    "pandas_in_kubernetes": "wants a cluster",
}
"""DAGs that this stack doesn't run, and why; tests/integration/runs does."""

NOT_HERE = {"kubernetes_default", "metadata_default", "spark_default"}
"""Connections that lead nowhere in the profiles demo and ml."""

SALES = ("process_sales_data", "process_marketing_data", "process_support_data", "weather_data_pipeline")
CASES = {
    "long_running_etl": Case(day("2010-12-20", "2010-12-21")),
    "etl_status_checker": Case(day("2010-12-20", "2010-12-21"), after=("long_running_etl",)),
    "retail_arrival": Case(day("2010-12-21", "2010-12-22")),
    "retail_monolith": Case(),
    "retail_validate": Case(),
    "retail_transform": Case(after=("retail_validate",)),
    "retail_report": Case(after=("retail_transform",)),
    "check_sources": Case(),
    "large_data_handoff": Case({"conf": {"rows": 100_000}}),
    "maintenance": Case(),
    "mlflow_integration": Case(scheduled=True),
    "my_first_spell": Case(),
    "process_finance_data": Case(day("2010-12-01", "2010-12-31")),
    "process_marketing_data": Case(day("2010-12-03", "2010-12-04")),
    "process_sales_data": Case(
        day("2010-12-20", "2010-12-21"), {"SELECT count(*) FROM sales_data WHERE day = '2010-12-20'": [("1760",)]}
    ),
    "process_support_data": Case(day("2025-03-09", "2025-03-10")),
    "titanic_ml_pipeline": Case({"conf": {"models": ["logistic_regression"], "repeats": 1}}),
    "model_monitoring": Case({"conf": {"date": f"{datetime.now(UTC):%F}"}}, after=("titanic_ml_pipeline",)),
    "sagemaker_deployment": Case(after=("titanic_ml_pipeline",)),
    "alerts_drain": Case(),
    "fragile_task": Case({"conf": {"fail_times": 1}}),
    "notify_example": Case(),
    "weather_data_pipeline": Case(
        day("2024-06-01", "2024-06-02"),
        {
            "SELECT city FROM weather_data WHERE date = '2024-06-01' ORDER BY city": [
                ("London",),
                ("New York",),
                ("Tokyo",),
            ],
            "SELECT DISTINCT rows_in, loaded, quarantined FROM load_log WHERE dataset = 'weather_data'"
            " AND partition_key = '2024-06-01'": [("3", "3", "0")],
        },
    ),
    "analytics_dbt_plain": Case(
        {},
        {"SELECT count(*) > 0 FROM analytics_plain.daily_sales": [("t",)]},
        after=SALES,
    ),
    "customer_report": Case(day("2010-12-20", "2010-12-21"), after=("process_sales_data",)),
}


KELLY: dict[str, Any] = {
    "Pclass": 3, "Name": "Kelly, Mr. James", "Sex": "male", "SibSp": 0, "Parch": 0, "Ticket": "330911"
}  # fmt: skip
ORDER = list(CASES)
IN_ORDER = sorted(set(DAG_IDS) - set(ELSEWHERE), key=lambda dag_id: ORDER.index(dag_id) if dag_id in CASES else -1)


@pytest.fixture(scope="module")
def runs(compose: Compose) -> dict[str, str]:
    """The run of each DAG that builds on no other, all of them started at once."""
    airflow = compose.airflow()
    return {
        dag_id: start(airflow, dag_id, CASES[dag_id])
        for dag_id in IN_ORDER
        if dag_id in CASES and not CASES[dag_id].after
    }


@pytest.mark.parametrize("dag_id", IN_ORDER)
def test_it_succeeds(compose: Compose, airflow: Airflow, runs: dict[str, str], dag_id: str) -> None:
    assert dag_id in CASES, f"{dag_id} has no entry in {Path(__file__).name}"
    case = CASES[dag_id]
    for other in case.after:
        succeeded(airflow, other, runs[other])
    run_id = runs[dag_id] if dag_id in runs else runs.setdefault(dag_id, start(airflow, dag_id, case))
    succeeded(airflow, dag_id, run_id)
    for statement, expected in case.rows.items():
        assert compose.query("warehouse", "warehouse", statement) == expected, statement


def test_the_model_server_answers_and_keeps_what_it_said(
    compose: Compose, airflow: Airflow, runs: dict[str, str]
) -> None:
    succeeded(airflow, "titanic_ml_pipeline", runs["titanic_ml_pipeline"])
    answer = ModelServer(compose.address("model-server", 8000)).predict([KELLY])
    assert not answer["predictions"][0]["survived"]
    kept = "SELECT inputs->>'Name' FROM predictions WHERE purpose = 'live'"
    soon(lambda: compose.query("warehouse", "warehouse", kept) == [(KELLY["Name"],)], "the prediction is kept")


def start(airflow: Airflow, dag_id: str, case: Case) -> str:
    """Start a run, or have the schedule start it; return its id."""
    if not case.scheduled:
        return trigger(airflow, dag_id, **case.body)
    airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
    path = f"/dags/{dag_id}/dagRuns"
    soon(lambda: bool(airflow.get(path)["dag_runs"]), f"the schedule has made a run of {dag_id}")
    return str(airflow.get(path)["dag_runs"][0]["dag_run_id"])


def succeeded(airflow: Airflow, dag_id: str, run_id: str) -> None:
    """Wait for a run, which must succeed; its logs are shown if it doesn't."""
    if finish(airflow, dag_id, run_id, 400) != "success":
        tried = [task for task in airflow.task_instances(dag_id, run_id) if task["try_number"]]
        logs = {task["task_id"]: [task["state"], *airflow.log(task)[-20:]] for task in tried}
        raise AssertionError(f"{dag_id} {run_id}: {logs}")


def test_every_declared_pool_is_there(airflow: Airflow) -> None:
    pools = {pool["name"]: pool["slots"] for pool in airflow.get("/pools")["pools"]}
    assert pools == {pool.name: pool.slots for pool in settings.POOLS}


def test_every_declared_connection_is_there(airflow: Airflow) -> None:
    stored = {one["connection_id"]: one["conn_type"] for one in airflow.get("/connections", limit=100)["connections"]}
    assert stored == {
        declared.conn_id: declared.conn_type for declared in settings.CONNECTIONS if declared.conn_id not in NOT_HERE
    }


def test_files_and_task_logs_are_kept_in_s3(compose: Compose, airflow: Airflow) -> None:
    run_id = trigger(airflow, "weather_data_pipeline", **day("2024-06-02", "2024-06-03"))
    assert finish(airflow, "weather_data_pipeline", run_id) == "success"
    listing = (
        "import boto3;"
        "client = boto3.client('s3', endpoint_url='http://127.0.0.1:5000', region_name='us-east-1',"
        " aws_access_key_id='x', aws_secret_access_key='x');"
        "print(*(one['Key'] for one in client.list_objects_v2(Bucket='spellbook')['Contents']), sep='\\n')"
    )
    keys = compose.inside("s3", "python3", "-c", listing).splitlines()
    assert [key for key in keys if key.startswith("storage/")]
    assert [key for key in keys if key.startswith(f"logs/dag_id=weather_data_pipeline/run_id={run_id}/")]
    (load,) = (
        task for task in airflow.task_instances("weather_data_pipeline", run_id) if task["task_id"] == "load_weather"
    )
    assert any("3 in = 3 loaded + 0 quarantined" in line for line in airflow.log(load))
