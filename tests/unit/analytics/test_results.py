"""dbt's artifacts become an error that names models, tests and sources."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import RetryAction

from include.domains.analytics.results import (
    DbtError,
    DbtInputError,
    DbtTestError,
    Outcome,
    errors,
    nodes,
    outcomes_of,
    raise_failures,
    sources,
)
from include.policies import RETRY_POLICY

MANIFEST = {
    "nodes": {
        "test.spellbook.unique_day.1": {"name": "unique_day", "attached_node": "model.spellbook.daily_sales"},
        "model.spellbook.daily_sales": {"name": "daily_sales"},
    },
    "unit_tests": {
        "unit_test.spellbook.daily_sales.sums": {
            "name": "sums",
            "depends_on": {"nodes": ["model.spellbook.daily_sales"]},
        }
    },
}


def write_artifacts(folder: Path, **artifacts: list[dict[str, Any]]) -> Path:
    target = folder / "target"
    target.mkdir()
    (target / "manifest.json").write_text(json.dumps(MANIFEST))
    for name, results in artifacts.items():
        (target / f"{name}.json").write_text(json.dumps({"results": results}))
    return folder


def check_results(folder: Path) -> None:
    raise_failures([*sources(folder), *(nodes(folder).values() or errors(folder))])


def outcome(unique_id: str, status: str, message: str | None = None) -> dict[str, Any]:
    return {"unique_id": unique_id, "status": status, "message": message}


def test_successful_results_raise_nothing(tmp_path: Path) -> None:
    check_results(write_artifacts(tmp_path, run_results=[outcome("model.spellbook.daily_sales", "success")]))


def test_broken_data_is_named_by_test_and_model(tmp_path: Path) -> None:
    broken = outcome("test.spellbook.unique_day.1", "fail", "Got 2 results, configured to fail if != 0")
    unit = outcome("unit_test.spellbook.daily_sales.sums", "fail", "actual differs\n from expected")
    with pytest.raises(DbtTestError) as caught:
        check_results(write_artifacts(tmp_path, run_results=[broken, unit]))
    assert str(caught.value) == (
        "2 of 2 failed: test unique_day of daily_sales: Got 2 results, configured to fail if != 0; "
        "unit test sums of daily_sales: actual differs from expected"
    )


def test_a_model_that_fails_to_build_may_be_retried(tmp_path: Path) -> None:
    results = [
        outcome("model.spellbook.daily_sales", "error", "Database Error\n  deadlock detected"),
        outcome("test.spellbook.unique_day.1", "skipped"),
    ]
    with pytest.raises(DbtError, match=r"^1 of 2 failed: model daily_sales: Database Error deadlock") as caught:
        check_results(write_artifacts(tmp_path, run_results=results))
    assert not isinstance(caught.value, DbtTestError)


def test_only_some_of_many_failures_are_listed(tmp_path: Path) -> None:
    results = [outcome(f"model.spellbook.m{number}", "error", "no") for number in range(9)]
    with pytest.raises(DbtError, match=r"^9 of 9 failed: model m0: no; .*model m4: no; and 4 more$"):
        check_results(write_artifacts(tmp_path, run_results=results))


def test_a_stale_source_is_named_with_its_age(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    age = {"max_loaded_at": "2026-01-01T00:00:00Z", "max_loaded_at_time_ago_in_s": 720_000.0}
    results = [
        {"unique_id": "source.spellbook.warehouse.sales_data", "status": "error"} | age,
        {"unique_id": "source.spellbook.warehouse.weather_data", "status": "warn"} | age,
    ]
    with caplog.at_level(logging.WARNING), pytest.raises(DbtTestError, match=r"source sales_data: .* is 200 h old"):
        check_results(write_artifacts(tmp_path, sources=results))
    assert "source weather_data" in caplog.text


def test_a_source_without_rows_was_never_loaded(tmp_path: Path) -> None:
    never = {"max_loaded_at": "0001-01-01T00:00:00+00:00", "max_loaded_at_time_ago_in_s": 6.4e10, "status": "error"}
    results = [{"unique_id": f"source.spellbook.warehouse.{name}"} | never for name in ("sales_data", "marketing_data")]
    with pytest.raises(DbtInputError, match=r"2 of 2 failed: source marketing_data: it was never loaded.*sales_data"):
        check_results(write_artifacts(tmp_path, sources=results))


@pytest.mark.parametrize(("test_status", "kind"), [("success", DbtInputError), ("fail", DbtError)])
def test_a_source_whose_table_is_missing_was_never_loaded(
    tmp_path: Path, test_status: str, kind: type[DbtError]
) -> None:
    results = [
        outcome("model.spellbook.stg_sales", "error", 'Database Error\n  relation "public.sales_data" does not exist'),
        outcome("test.spellbook.unique_day.1", test_status, "Got 1 result"),
    ]
    with pytest.raises(DbtError, match=r"public\.sales_data") as caught:
        check_results(write_artifacts(tmp_path, run_results=results))
    assert type(caught.value) is kind


def test_errors_that_are_only_in_the_log_are_raised(tmp_path: Path) -> None:
    """A table that is missing isn't in sources.json, and a project that doesn't compile leaves no artifact."""
    (tmp_path / "logs").mkdir()
    events = [
        {"level": "info", "name": "MainReportVersion", "msg": "Running"},
        {"level": "error", "name": "LogFreshnessResult", "msg": "1 of 1 ERROR"},
        {"level": "error", "name": "MainEncounteredError", "msg": "Compilation Error\n  no such ref"},
    ]
    (tmp_path / "logs" / "dbt.log").write_text("".join(json.dumps({"info": event}) + "\n" for event in events))
    with pytest.raises(DbtError, match=r"^1 of 1 failed: dbt: Compilation Error no such ref$"):
        check_results(tmp_path)


def test_an_error_after_the_freshness_check_is_raised(tmp_path: Path) -> None:
    fresh = {"max_loaded_at": "2026-01-01T00:00:00Z", "max_loaded_at_time_ago_in_s": 60.0, "status": "pass"}
    write_artifacts(tmp_path, sources=[{"unique_id": "source.spellbook.warehouse.sales_data"} | fresh])
    (tmp_path / "logs").mkdir()
    event = {"level": "error", "name": "MainEncounteredError", "msg": "Database Error\n  connection refused"}
    (tmp_path / "logs" / "dbt.log").write_text(json.dumps({"info": event}) + "\n")
    with pytest.raises(DbtError, match=r"^1 of 2 failed: dbt: Database Error connection refused$"):
        check_results(tmp_path)


BUILD = {
    "invocation": "7",
    "nodes": {
        "model.spellbook.daily_sales": {"name": "model daily_sales", "status": "error", "message": "deadlock"},
        "test.spellbook.unique_day.1": {"name": "test unique_day", "status": "skipped", "message": "no message"},
    },
}


def test_a_build_is_reported_once_per_task() -> None:
    outcomes = outcomes_of(BUILD, ["model.spellbook.daily_sales"], "6")
    assert outcomes == [Outcome("model daily_sales", "error", "deadlock")]
    assert outcomes_of(BUILD, ["model.spellbook.daily_sales"], "7") == []


@pytest.mark.parametrize("node", ["test.spellbook.unique_day.1", "model.spellbook.new"])
def test_nodes_that_a_build_skipped_are_not_reported(node: str) -> None:
    assert outcomes_of(BUILD, [node], None) == []
    assert outcomes_of(BUILD, ["model.spellbook.daily_sales", node], None) == []


def test_without_a_build_nothing_is_reported() -> None:
    assert outcomes_of(None, ["model.spellbook.daily_sales"], None) == []


def test_only_a_failed_test_is_not_retried() -> None:
    actions = {
        error: RETRY_POLICY.evaluate(error("no"), 1, 3).action for error in (DbtError, DbtInputError, DbtTestError)
    }
    assert actions == {
        DbtError: RetryAction.DEFAULT,
        DbtInputError: RetryAction.RETRY,
        DbtTestError: RetryAction.FAIL,
    }
