"""Every DAG on the whole stack, in each kind of run that it allows; different DAGs run in parallel.

A DAG's own runs follow one another. What an asset starts is in test_asset_run.py.
"""

from __future__ import annotations

import gzip
import json
import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from graphlib import TopologicalSorter
from typing import Any, TypeGuard

import pandas as pd
import psycopg
import pyarrow.parquet as pq
import pytest
from upath import UPath

from devstack import needs, spark
from devstack.api import Airflow
from devstack.catalogue.read import read
from devstack.follow import FINISHED
from devstack.stack import Stack
from include.core.sources.files import require_sources
from include.core.storage import file_name
from include.domains.analytics.manifest import mart_names
from include.domains.sessions import output
from include.domains.sources import FOLDER
from tests.integration.runs.conftest import RunResult, maker, server
from tests.integration.runs.table import LEAP_DAY, RUNS, TWO_DAYS, Run, runs_without_a_line

Query = Callable[..., list[tuple[Any, ...]]]

SALE_WITHOUT_LOAD = """
INSERT INTO sales_data (day, invoice_no, stock_code, quantity, unit_price, invoiced_at, country, load_id, loaded_at)
SELECT day, '999999', '22423', 1, 1, invoiced_at, 'Norway', load_id, now() FROM sales_data LIMIT 1
"""

AT_ONCE = 4
WEATHER = "weather_data_pipeline"
IN_JAVA: tuple[str, ...] = ("big_data_spark",)
SOURCES = ("sales_data", "marketing_data", "support_data")
WEEKLY = {("mlflow_integration", 1)}  # the last run of a DAG only: the same training once more, which takes longest
CASES = [
    pytest.param(
        dag_id,
        number,
        id=f"{dag_id}-{number}-{run[0]}",
        marks=pytest.mark.weekly if (dag_id, number) in WEEKLY else (),
    )
    for dag_id, runs in RUNS.items()
    for number, run in enumerate(runs)
]
Results = list[RunResult | Exception]
Outcomes = dict[str, Future[Results]]


@pytest.fixture(scope="module")
def outcomes(request: pytest.FixtureRequest, stack: Stack) -> Iterator[Outcomes]:
    """Futures of the runs of each DAG that a selected test uses, and of the DAGs that these need."""
    cases = [item.callspec.params for item in request.session.items if _is_of_a_run(item)]
    left_out = WEEKLY - {(str(case["dag_id"]), int(str(case["number"]))) for case in cases}
    chosen = {str(case["dag_id"]) for case in cases}
    airflow = Airflow.of(stack.state)
    needs.wait_for_files(airflow, stack.dags)
    needed = {dag_id: set[str]() for dag_id in RUNS} | needs.graph(needs.assets(airflow))
    while further := {other for dag_id in chosen for other in needed[dag_id]} - chosen:
        chosen |= further
    outcomes: Outcomes = {}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for dag_id in TopologicalSorter(needed).static_order():
            if dag_id in chosen:
                before = [outcomes[other] for other in needed[dag_id]]
                runs = [run for number, run in enumerate(RUNS[dag_id]) if (dag_id, number) not in left_out]
                outcomes[dag_id] = pool.submit(_run_all, dag_id, runs, stack, before)
        yield outcomes


def _is_of_a_run(item: pytest.Item) -> TypeGuard[pytest.Function]:
    return isinstance(item, pytest.Function) and item.path.name == "test_every_dag.py" and hasattr(item, "callspec")


def _run_all(dag_id: str, runs: list[Run], stack: Stack, needed: list[Future[Results]]) -> Results:
    for other in needed:
        other.result()
    return [_run(dag_id, stack, run) for run in runs]


def _run(dag_id: str, stack: Stack, run: Run) -> RunResult | Exception:
    kind, first, last, *conf = run
    try:
        return maker(stack)(dag_id, first, last, kind, **(conf[0] if conf else {}))
    except Exception as error:
        return error


def outcome(outcomes: Outcomes, dag_id: str, number: int = 0) -> RunResult:
    """Result of a run in the table, when it has ended."""
    result = outcomes[dag_id].result()[number]
    if isinstance(result, Exception):
        raise result
    return result


def need_java() -> None:
    if not spark.has_java():
        pytest.skip("there is no Java: Spark was not tested; `make tools` gets it, or install Java 17 or 21")


@pytest.mark.parametrize(("dag_id", "number"), CASES)
def test_run(outcomes: Outcomes, dag_id: str, number: int) -> None:
    if dag_id in IN_JAVA:
        need_java()
    result = outcome(outcomes, dag_id, number)
    assert result.good, result.text


def test_a_dag_without_a_line_in_the_table_runs(stack: Stack) -> None:
    for dag_id, runs in runs_without_a_line({dag.dag_id: dag.kinds for dag in read()}).items():
        for run in runs:
            result = _run(dag_id, stack, run)
            if isinstance(result, Exception):
                raise result
            assert result.good, f"{dag_id} {run[0]}: {result.text}"


def test_the_report_names_the_upstream_tasks_and_rows_and_draws_a_chart(
    outcomes: Outcomes, stack: Stack, query: Query
) -> None:
    result = outcome(outcomes, WEATHER)
    day = datetime.now(UTC).date() - timedelta(days=1)
    assert f"{WEATHER} manual {day}" in result.text
    recorded = f"2024-{day:%m-%d}"
    labels = query("SELECT DISTINCT source FROM weather_data WHERE date = %s", day)
    assert labels == [(f"open_meteo, replay of {recorded}",)]
    assert re.search(rf"bundled replay, recorded data of {recorded}, CC BY-SA 4.0", result.text)
    for task in ("create_table", "extract_weather", "transform_weather", "load_weather"):
        assert re.search(rf"│ {task} +│ success │ +1 │ +\d+\.\d\d │", result.text), result.text
    assert re.search(rf"│ weather_data │ {day} │ {recorded} │ +3 │ +3 │ +0 │ yes", result.text), result.text
    assert re.search(rf"│ {day} │ London +│ +\d+\.\d │ \w+", result.text)
    picture = stack.state.root / "reports" / "weather_data.png"
    assert str(picture) in result.text
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_scheduled_run_is_created_once_and_repeated_by_clearing(outcomes: Outcomes, query: Query) -> None:
    first, again = (outcome(outcomes, WEATHER, number) for number in (1, 2))
    assert "runs/scheduled__2024-03-01" in first.text
    assert "runs/scheduled__2024-03-01" in again.text
    assert "load_weather success (try 2)" in again.text
    assert query("SELECT count(*) FROM weather_data WHERE date = %s", LEAP_DAY) == [(3,)]


def test_a_repeated_backfill_loads_every_day_with_the_same_rows(outcomes: Outcomes, query: Query) -> None:
    assert all("2/2" in outcome(outcomes, WEATHER, number).text for number in (3, 4))
    rows = "SELECT count(*), count(DISTINCT date) FROM weather_data WHERE date BETWEEN %s AND %s"
    assert query(rows, *TWO_DAYS) == [(6, 2)]
    loads = (
        "SELECT count(*), count(DISTINCT digest) FROM load_log"
        " WHERE dataset = 'weather_data' AND partition_key BETWEEN %s AND %s GROUP BY partition_key"
    )
    assert query(loads, *map(str, TWO_DAYS)) == [(2, 1)] * 2


def test_a_run_leaves_a_paused_dag_paused(outcomes: Outcomes, stack: Stack) -> None:
    outcome(outcomes, "my_first_spell")
    dag = Airflow.of(stack.state).dag("my_first_spell")
    assert dag is not None
    assert dag["is_paused"]


def test_each_source_loaded_its_own_day(outcomes: Outcomes, query: Query) -> None:
    for table in SOURCES:
        outcomes[f"process_{table}"].result()
    assert query("SELECT count(*) FROM sales_data WHERE day = '2010-12-20'") == [(1760,)]
    assert query("SELECT count(DISTINCT day) FROM sales_data") == [(3,)]
    loads = query("SELECT DISTINCT dag_id, dataset FROM load_log WHERE dataset = ANY(%s)", list(SOURCES))
    assert set(loads) == {(f"process_{table}", table) for table in SOURCES}


def test_a_run_without_a_day_loads_yesterday_replayed_and_labelled(outcomes: Outcomes, query: Query) -> None:
    tables = {
        "weather_data_pipeline": "weather_data",
        "long_running_etl": "etl_daily_revenue",
        "customer_report": "customer_report",
        "process_sales_data": "sales_data",
        "process_marketing_data": "marketing_data",
        "process_support_data": "support_data",
    }
    for dag_id, table in tables.items():
        result = outcomes[dag_id].result()[0]
        assert isinstance(result, RunResult)
        [run_id] = re.findall(r"/runs/(manual__\S+)", result.text)
        [(day, replayed_from)] = query(
            "SELECT partition_key, replayed_from::text FROM load_log WHERE (dataset, run_id) = (%s, %s)", table, run_id
        )
        assert day > "2026", "yesterday, or the day before in New York"
        assert replayed_from < "2026"
        assert all(word in result.text for word in (day, replayed_from, "replay of")), result.text


def test_the_jobs_results_are_published(outcomes: Outcomes, query: Query) -> None:
    outcomes["etl_status_checker"].result()
    rows = query("SELECT day::text, sales_rows FROM etl_daily_revenue WHERE day < '2011-01-01' ORDER BY day")
    assert rows == [("2010-12-19", 522), ("2010-12-20", 1763), ("2010-12-21", 1586)]


def test_a_day_is_requested_once(outcomes: Outcomes, query: Query) -> None:
    for dag_id in ("customer_report", "process_sales_data"):
        outcomes[dag_id].result()
    assert query("SELECT count(*) FROM cache_entry WHERE cache_name = 'customers'") == [(3,)]
    [(report,)] = query("SELECT sum(revenue) FROM customer_report WHERE day = '2010-12-20'")
    [(sales,)] = query(
        "SELECT sum(quantity * unit_price) FROM sales_data WHERE day = '2010-12-20' AND customer_id IS NOT NULL"
    )
    assert report == sales > 0


def test_both_engines_published_the_same(outcomes: Outcomes, stack: Stack) -> None:
    need_java()
    counts, sessions = [], []
    for engine, dag_id in {"pandas": "pandas_in_kubernetes", "spark": "big_data_spark"}.items():
        outcome(outcomes, dag_id)
        home = UPath(stack.state.root / "storage/sessions" / engine)
        published = output.current(home)
        assert published
        counts.append(published.counts)
        sessions.append(output.load(home).to_pandas().sort_values(["customer_id", "session"], ignore_index=True))
    assert counts[0] == counts[1]
    assert len(sessions[0]) > 100
    pd.testing.assert_frame_equal(sessions[0], sessions[1])


def test_the_marts_are_published_and_documented_without_personal_data(
    outcomes: Outcomes, stack: Stack, query: Query
) -> None:
    for dag_id in ("analytics_dbt", "analytics_dbt_plain"):
        outcomes[dag_id].result()
    [(total,)] = query("SELECT sum(quantity * unit_price) FROM sales_data")
    assert query("SELECT sum(gross_amount - cancelled_amount) FROM analytics.daily_sales") == [(total,)]
    assert query("SELECT sum(gross_amount - cancelled_amount) FROM analytics_plain.daily_sales") == [(total,)]
    assert query("SELECT count(*) FROM analytics_snapshots.support_status") == query(
        "SELECT count(*) FROM support_data"
    )

    storage = stack.state.root / "storage"
    published = {path.stem: set(pq.read_schema(path).names) for path in (storage / "analytics").glob("*.parquet")}
    assert set(published) == set(mart_names())
    personal = {name for source in require_sources(FOLDER).values() for name, c in source.columns.items() if c.pii}
    of_people = [
        columns for mart, columns in published.items() if mart != "weather_months"
    ]  # its cities aren't personal data
    assert not personal & set().union(*of_people)

    assert "<html" in (storage / "dbt" / "docs" / "index.html").read_text()
    [docs] = (storage / "dbt" / "analytics_dbt").glob("*/dbt_build/1")
    described = json.loads(gzip.decompress((docs / "manifest.json.gz").read_bytes()))["nodes"]
    for key, relation in json.loads((docs / "catalog.json").read_text())["nodes"].items():
        columns = {name for name in relation["columns"] if not name.startswith("dbt_")}
        if key.startswith("model."):
            assert {name for name, c in described[key]["columns"].items() if c["description"]} == columns, key


def test_a_failed_dbt_test_fails_its_own_task_which_runs_dbt_when_cleared(outcomes: Outcomes, stack: Stack) -> None:
    outcomes["analytics_dbt_plain"].result()
    airflow, task = Airflow.of(stack.state), "marts.daily_sales.test"
    with psycopg.connect(server(stack).uri("warehouse"), autocommit=True) as warehouse:
        warehouse.execute(SALE_WITHOUT_LOAD)
        result = maker(stack)("analytics_dbt")
        warehouse.execute("DELETE FROM sales_data WHERE invoice_no = '999999'")
    assert f"{task} failed (try 1)" in result.text, result.text
    assert "1 of 4 failed: test daily_sales_equal_the_source of daily_sales: Got 1 result" in result.text
    assert "dbt_build success (try 1)" in result.text
    assert "load_data running" not in result.text

    run = airflow.get("/dags/analytics_dbt/dagRuns", order_by="-run_after", limit=1)["dag_runs"][0]["dag_run_id"]
    airflow.patch("/dags/analytics_dbt", {"is_paused": False})
    airflow.post("/dags/analytics_dbt/clearTaskInstances", {"dag_run_id": run, "dry_run": False, "only_failed": True})
    while airflow.runs("analytics_dbt", [run])[0]["state"] not in FINISHED:
        time.sleep(0.5)
    airflow.patch("/dags/analytics_dbt", {"is_paused": True})
    tries = {ti["task_id"]: (ti["state"], ti["try_number"]) for ti in airflow.task_instances("analytics_dbt", run)}
    assert tries[task] == ("success", 2)
    assert tries["load_data"] == ("success", 1)
    assert tries["dbt_build"] == ("success", 1)
    kept = stack.state.root / "storage/dbt/analytics_dbt" / file_name(run)
    assert {path.parent.parent.name for path in kept.glob("*/*/run_results.json")} == {"dbt_build", task}


def test_no_password_is_written_by_dbt(outcomes: Outcomes, stack: Stack) -> None:
    outcomes["analytics_dbt_plain"].result()
    password = stack.state.secret("postgres").encode()
    kept = [
        *stack.state.airflow_home.glob("logs/dag_id=analytics*/**/*"),
        *(stack.state.root / "storage/dbt").rglob("*"),
    ]
    files = [path for path in kept if path.is_file()]
    assert len(files) > 25
    assert [path for path in files if password in path.read_bytes()] == []
