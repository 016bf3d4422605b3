"""DAGs that assets start, on a separate stack with active schedules."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime

import psycopg
import pytest

from devstack import needs
from devstack.api import Airflow
from devstack.environment import local_url
from devstack.fill import Fill, replay_traffic
from devstack.follow import FINISHED
from devstack.load import load
from devstack.stack import Stack
from include.core.warehouse.connect import connect
from include.core.warehouse.digest import table_digest
from include.domains.retail.datasets import LINES, SALES
from include.ops.alerts.alert import Alert, Kind
from include.ops.alerts.pending import PendingAlert
from tests.integration.conftest import folder_in_memory
from tests.integration.runs.conftest import Make, copy_of_the_dags, maker, newest_mail, server, started, until

DAY = date(2010, 12, 21)
CHAIN = ("retail_validate", "retail_transform", "retail_report")

CONSUMER = '''"""Waits for the weather."""
import pendulum
from airflow.sdk import Asset, dag, task


@dag(
    schedule=[Asset("weather_data")],
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    default_args={"owner": "me"},
    tags=["example"],
    doc_md=__doc__,
)
def weather_reader():
    @task
    def read(triggering_asset_events, dag_run):
        [events] = triggering_asset_events.values()
        assert dag_run.logical_date is None
        print(f"got {events[0].asset.name} with {events[0].extra}")

    read()


weather_reader()
'''


@pytest.fixture(scope="module")
def asset_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The stack whose schedules are on. Its DAGs are paused until one is run."""
    dags = copy_of_the_dags(tmp_path_factory)
    drain = dags / "alerts_drain.py"
    drain.write_text(drain.read_text().replace("AlertsWaitingTrigger()", "AlertsWaitingTrigger(check_interval=1)"))
    with folder_in_memory(tmp_path_factory) as root, started(root, dags, schedule=True) as stack:
        yield stack


def checks(stack: Stack, count: int) -> None:
    """Wait until the triggerer has found this many times that no alert waits."""

    def new_round() -> bool:
        return last_round(stack) != before

    for _ in range(count):
        before = last_round(stack)
        until(stack, new_round, "the triggerer to check whether alerts wait")


def last_round(stack: Stack) -> datetime:
    """When a round of `alerts_drain` was recorded last."""
    with psycopg.connect(server(stack).uri("warehouse")) as session:
        [[finished_at]] = session.execute("SELECT finished_at FROM alert_drain").fetchall()
    assert isinstance(finished_at, datetime)
    return finished_at


def test_alerts_drain_runs_only_when_an_alert_waits(asset_stack: Stack) -> None:
    airflow, start_time = Airflow.of(asset_stack.state), datetime(2024, 1, 1, tzinfo=UTC)
    load(airflow, "alerts_drain", asset_stack)
    checks(asset_stack, 5)
    assert airflow.get("/dags/alerts_drain/dagRuns")["dag_runs"] == []

    alert = PendingAlert(Alert(Kind.SUCCEEDED, "spell", text="it waited"))
    airflow.post("/variables", {"key": alert.name, "value": alert.dumps()})
    assert end_of(asset_stack, "alerts_drain", start_time) == "success"
    checks(asset_stack, 5)
    assert [run["run_type"] for run in airflow.get("/dags/alerts_drain/dagRuns")["dag_runs"]] == ["asset_triggered"]
    slack = (asset_stack.state.root / "alerts" / "slack").glob("[0-9]*")
    assert sum("spell" in path.read_text() for path in slack) == 1


def test_an_event_starts_the_dag_that_waits_for_it(asset_stack: Stack) -> None:
    path = asset_stack.dags / "weather_reader.py"
    path.write_text(CONSUMER)
    result = maker(asset_stack)("weather_reader", kind="asset", note="from a test")
    path.unlink()
    assert result.good, result.text
    assert "runs/asset_triggered__" in result.text
    assert "read success (try 1)" in result.text


def test_datasets_that_were_never_published_are_published_before_a_dag_that_reads_them(asset_stack: Stack) -> None:
    result = maker(asset_stack)("analytics_dbt", kind="asset")
    assert result.good, result.text
    assert "runs/asset_triggered__" in result.text
    for name in ("sales_data", "marketing_data", "support_data"):
        assert f"analytics_dbt reads {name}, which was never published: running " in result.text
    assert rows(asset_stack, "SELECT count(*) FROM analytics.daily_sales") > 0

    result = maker(asset_stack)("process_finance_data")
    assert result.good, result.text
    assert "never published" not in result.text


def published(stack: Stack) -> list[str]:
    """Digests of the day's rows in the warehouse."""
    with connect(server(stack).uri("warehouse")) as session:
        return [table_digest(session, dataset, DAY) for dataset in (LINES, SALES)]


def rows(stack: Stack, statement: str) -> int:
    """The number that the statement returns."""
    with psycopg.connect(server(stack).uri("warehouse")) as session:
        [[count]] = session.execute(statement).fetchall()
    return int(count)


def end_of(stack: Stack, dag_id: str, start_time: datetime, run_type: str = "asset_triggered") -> str:
    """State in which the first run of a DAG of this type after ``start_time`` ended."""
    airflow = Airflow.of(stack.state)

    def state() -> str:
        states = (run["state"] for run in airflow.runs_since(dag_id, start_time, run_type))
        return next((str(state) for state in states if state in FINISHED), "")

    return until(stack, state, f"the end of a run of {dag_id}")


def test_one_dag_and_three_write_the_same_rows_and_send_the_same_mail(
    make_run: Make, stack: Stack, asset_stack: Stack
) -> None:
    single_dag = make_run("retail_monolith", days=[DAY.isoformat()])
    assert single_dag.good, single_dag.text
    airflow, start_time = Airflow.of(asset_stack.state), datetime.now(UTC)
    asset_stack.ensure(["s3"])
    for dag_id in ("retail_arrival", *CHAIN):
        airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
    assert end_of(asset_stack, "retail_arrival", start_time, "scheduled") == "success"
    for dag_id in CHAIN:
        assert end_of(asset_stack, dag_id, start_time) == "success"
    assert ", replay of 2010-12-" in newest_mail(asset_stack)[1], "the scheduled run was about yesterday"
    start_time = datetime.now(UTC)
    arrival = maker(asset_stack)("retail_arrival", DAY)
    assert arrival.good, arrival.text
    assert "notify_no_file skipped" in arrival.text
    for dag_id in CHAIN:
        assert end_of(asset_stack, dag_id, start_time) == "success"
    assert published(asset_stack) == published(stack)
    subject, body = newest_mail(stack)
    assert subject.startswith("Retail sales: 47")
    assert f"<td>{DAY}</td>" in body
    assert newest_mail(asset_stack) == (subject, body)


READ_BACK = {
    "analytics_dbt": "SELECT count(*) FROM analytics.daily_sales",
    "analytics_dbt_plain": "SELECT count(*) FROM analytics_plain.daily_sales",
    "etl_status_checker": "SELECT count(*) FROM etl_daily_revenue WHERE day = current_date - 1",
    "model_monitoring": "SELECT sum(predictions) FROM model_daily WHERE day = current_date - 1 AND segment = 'all'",
    "process_finance_data": "SELECT count(*) FROM finance_revenue WHERE month < date_trunc('month', now())",
    "retail_report": "SELECT count(*) FROM retail_sales WHERE day = current_date - 1",
    "retail_transform": "SELECT count(*) FROM retail_sales WHERE day = current_date - 1",
    "retail_validate": "SELECT count(*) FROM retail_lines WHERE day = current_date - 1",
    "sagemaker_deployment": "SELECT 1",  # its endpoint has responded, otherwise the run fails
}
"""Query for the rows in the warehouse after a run of each DAG that reads another DAG's datasets."""


@pytest.mark.weekly  # the Compose tests run the same fill and every DAG
def test_after_the_first_fill_every_dag_that_reads_another_dags_dataset_runs(asset_stack: Stack) -> None:
    asset_stack.ensure(("s3", "mlflow", "model_server"))
    airflow, messages = Airflow.of(asset_stack.state), list[str]()
    fill = Fill(airflow, asset_stack.dags, messages.append)
    assert fill.run(), messages
    replay_traffic(airflow, local_url(asset_stack.state, "model_server"), messages.append)
    assert any("answered 400 sample passengers" in line for line in messages), messages

    readers = {dag_id for asset in needs.assets(airflow) for dag_id in asset.readers} - {"weather_reader"}
    assert readers == READ_BACK.keys()
    start_time = datetime.now(UTC)
    for dag_id in sorted(readers):
        airflow.patch(f"/dags/{dag_id}", {"is_paused": False})
        airflow.post(f"/dags/{dag_id}/dagRuns", {"logical_date": None})
    for dag_id in sorted(readers):
        assert end_of(asset_stack, dag_id, start_time, "manual") == "success", dag_id
        assert rows(asset_stack, READ_BACK[dag_id]) > 0, dag_id

    messages.clear()
    assert fill.run()
    replay_traffic(airflow, local_url(asset_stack.state, "model_server"), messages.append)
    assert messages == [], "nothing is filled twice"
