"""`make run`: each kind of run, and its messages when something is wrong."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from devstack import report
from devstack.api import Airflow
from devstack.errors import StackError
from devstack.stack import Stack
from include import settings
from tests.integration.runs.conftest import Make, until

WEATHER = "weather_data_pipeline"

Query = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def dag_file(stack: Stack) -> Iterator[Path]:
    """A DAG file that is deleted after the test."""
    path = stack.dags / "dropped_in.py"
    yield path
    path.unlink(missing_ok=True)


def dropped_in(body: str) -> str:
    """A DAG `dropped_in` with one task."""
    return f'''"""A DAG that was just dropped in."""
import pendulum
from airflow.sdk import dag, task


@dag(
    schedule=None,
    start_date=pendulum.datetime(2024, 1, 1, tz="UTC"),
    default_args={{"owner": "me"}},
    tags=["example"],
    doc_md=__doc__,
)
def dropped_in():
    @task
    def say():
        {body}

    say()


dropped_in()
'''


def test_conf_names_the_cities(make_run: Make, query: Query) -> None:
    day = date(2014, 7, 1)
    seattle = {"name": "Seattle", "latitude": 47.61, "longitude": -122.33}
    result = make_run(WEATHER, date(2024, 7, 1), cities=["London"])
    assert result.good, result.text
    [load] = [load for run in result.runs for load in run.loads if load.dataset == "weather_data"]
    assert (load.rows_in, load.loaded, load.quarantined, load.complete) == (1, 1, 0, True)
    assert query("SELECT city FROM weather_data WHERE date = '2024-07-01'") == [("London",)]
    result = make_run(WEATHER, day, cities=[seattle])
    assert not result.good, "the archive of that day has no mean temperature"
    assert "Seattle" in result.text


def test_a_run_whose_dag_is_paused_meanwhile_ends(make_run: Make, stack: Stack) -> None:
    airflow, since = Airflow.of(stack.state), datetime.now(UTC)
    with ThreadPoolExecutor() as pool:
        result = pool.submit(make_run, "long_running_etl", date(2010, 12, 21), seconds=2)
        until(stack, lambda: airflow.runs_since("long_running_etl", since, "manual"), "the run")
        airflow.patch("/dags/long_running_etl", {"is_paused": True})
        assert result.result().good, result.result().text


def test_a_day_before_the_dags_start_date_fails(make_run: Make) -> None:
    result = make_run(WEATHER, date(2011, 12, 31))
    assert not result.good
    assert "no task ran" in result.text


def test_a_successful_run_that_loaded_nothing_is_reported_as_failed(make_run: Make, stack: Stack, query: Query) -> None:
    assert make_run(WEATHER, date(2024, 8, 1)).good
    airflow = Airflow.of(stack.state)
    run = airflow.get(f"/dags/{WEATHER}/dagRuns", order_by="-run_after", limit=1)["dag_runs"][0]
    outcome = report.Outcome(WEATHER, [run], stack, airflow)
    assert report.write(Console(file=StringIO()), outcome)
    assert query("DELETE FROM load_log WHERE run_id = %s RETURNING loaded", run["dag_run_id"]) == [(3,)]
    output = StringIO()
    assert not report.write(Console(file=output, width=200), outcome)
    assert "1 run(s) loaded nothing" in output.getvalue()


def test_a_superseded_run_is_skipped_with_the_reason_and_succeeds(make_run: Make, stack: Stack, query: Query) -> None:
    day = date(2024, 8, 2)
    assert make_run(WEATHER, day).good
    query(
        "UPDATE load_log SET requested_at = now() + interval '1 hour' WHERE (dataset, partition_key) = (%s, %s)"
        " RETURNING load_id",
        "weather_data",
        str(day),
    )
    result = make_run(WEATHER, day)
    assert result.good, result.text
    assert re.search(
        r"load_weather skipped .* weather_data, partition 2024-08-02: .* superseded", result.text, re.DOTALL
    )
    airflow = Airflow.of(stack.state)
    run = airflow.get(f"/dags/{WEATHER}/dagRuns", order_by="-run_after", limit=1)["dag_runs"][0]
    [load] = [task for task in airflow.task_instances(WEATHER, run["dag_run_id"]) if task["task_id"] == "load_weather"]
    assert "superseded" in report.skip_reason(airflow, load)
    assert report.skip_reason(airflow, load | {"state": "success"}) == ""


def test_an_unknown_city_is_refused_by_name(make_run: Make) -> None:
    with pytest.raises(StackError, match="Atlantis"):
        make_run(WEATHER, date(2024, 7, 2), cities=["Atlantis"])


def test_an_unknown_dag_lists_similar_names(make_run: Make) -> None:
    with pytest.raises(
        StackError,
        match=r"DAG 'wether_data_pipline' does not exist; did you mean weather_data_pipeline( or \w+){0,2}\?",
    ):
        make_run("wether_data_pipline")


def test_a_dag_without_assets_names_another_kind_of_run(make_run: Make) -> None:
    with pytest.raises(StackError, match=r"waits for no asset.*AS=manual"):
        make_run(WEATHER, kind="asset")


def test_a_dag_dropped_in_runs_at_once_and_an_edit_is_seen(make_run: Make, dag_file: Path) -> None:
    dag_file.write_text(dropped_in("print('one')"))
    assert make_run("dropped_in").good
    dag_file.write_text(dropped_in("raise ValueError('two')"))
    result = make_run("dropped_in")
    assert not result.good
    assert "say failed; the end of its log:" in result.text
    assert "ValueError: two" in result.text
    assert "What to do:" in result.text
    [task] = result.runs[-1].tasks
    assert task.error
    assert (task.state, task.error.type, task.error.message, task.error.cause) == ("failed", "ValueError", "two", None)
    assert task.error.where == "dags/dropped_in.py:16 in say"
    assert "two" in Path(str(task.log)).read_text()


def test_what_tasks_print_and_return_is_shown(make_run: Make) -> None:
    result = make_run("my_first_spell")
    text, [described] = result.text, result.runs
    extract, transform, load = described.tasks
    assert str(extract.returned).startswith("['double', 'double', 'toil', 'and'")
    assert str(transform.returned).startswith("[('double', 2), ('and', 2)")
    assert (load.printed[:2], load.returned, load.tries) == (["2 x double", "2 x and"], None, 1)
    assert (described.state, described.runbook) == ("success", "docs/runbooks/my_first_spell.md")
    assert "\x1b" not in text
    assert "extract_task returned ['double', 'double', 'toil', 'and'," in text
    assert "transform_task returned [('double', 2), ('and', 2), ('toil', 1)," in text
    printed = [line.split("printed ")[1].strip() for line in text.splitlines() if "load_task printed" in line]
    assert printed == [
        "2 x double",
        "2 x and",
        *(f"1 x {word}" for word in ("toil", "trouble", "fire", "burn", "caldron", "bubble")),
    ]


def test_a_file_with_an_error_gives_that_error_and_no_traceback_of_airflow(make_run: Make, dag_file: Path) -> None:
    dag_file.write_text(dropped_in("print('one')"))
    assert make_run("dropped_in").good
    dag_file.write_text(dropped_in("print('one')") + "\nundefined_name\n")
    with pytest.raises(StackError) as caught:
        make_run("dropped_in")
    message = str(caught.value)
    assert message.startswith("dags/dropped_in.py failed to load:")
    assert "NameError: name 'undefined_name' is not defined" in message
    assert 'File "dags/dropped_in.py", line' in message
    assert "site-packages" not in message
    assert make_run("my_first_spell").good, "other DAGs still run"


def test_a_new_file_with_an_error_gives_that_error(make_run: Make, dag_file: Path) -> None:
    dag_file.write_text("def dropped_in(:\n")
    with pytest.raises(StackError, match=r"(?s)dags/dropped_in\.py failed to load:.*SyntaxError"):
        make_run("dropped_in")


def test_the_import_error_of_an_airflow_2_file_names_what_to_write_instead(
    make_run: Make, stack: Stack, dag_file: Path
) -> None:
    dag_file.write_text("""from airflow.operators.dummy import DummyOperator
from airflow.sdk import DAG

with DAG("dropped_in", schedule_interval=None):
    DummyOperator(task_id="nothing")
""")
    with pytest.raises(StackError) as caught:
        make_run("dropped_in")
    airflow = Airflow.of(stack.state)
    error = until(stack, lambda: airflow.import_errors().get("dropped_in.py"), "the import error")
    assert error
    for text in (str(caught.value), error["stack_trace"]):
        assert "dags/dropped_in.py, line 4: `schedule_interval` is gone in Airflow 3: use `schedule` instead" in text
        assert re.search(r"dags/dropped_in\.py, line 5: `.*DummyOperator` is gone .* use `EmptyOperator`", text)
        assert "`make adopt FILE=dags/dropped_in.py` replaces what it can." in text
        assert text.rstrip().endswith("No module named 'airflow.operators.dummy'")


def test_pools_come_from_the_contract(stack: Stack) -> None:
    pools = {pool["name"]: pool["slots"] for pool in Airflow.of(stack.state).get("/pools")["pools"]}
    assert pools == {pool.name: pool.slots for pool in settings.POOLS}
