from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.types import RuntimeTaskInstanceProtocol

from include.core.warehouse.attempt import EPOCH, Attempt

ATTEMPT = Attempt("weather_data_pipeline", "load_weather", "manual__2024-06-01T00:00:00+00:00", 3)
STARTED = datetime(2024, 6, 2, tzinfo=UTC)


@pytest.mark.parametrize(("map_index", "started"), [(None, STARTED), (-1, STARTED), (4, None)])
def test_an_attempt_is_read_from_the_context_of_a_task(map_index: int | None, started: datetime | None) -> None:
    fields = {"dag_id": "d", "task_id": "t", "run_id": "r", "try_number": 2, "map_index": map_index}
    assert fields.keys() <= RuntimeTaskInstanceProtocol.__annotations__.keys()
    attempt = Attempt.from_context({"ti": SimpleNamespace(**fields), "dag_run": SimpleNamespace(start_date=started)})
    index = -1 if map_index is None else map_index
    assert attempt == Attempt("d", "t", "r", 2, index, started or EPOCH)


def test_the_name_of_a_session_has_task_try_and_run() -> None:
    assert ATTEMPT.application_name == "weather_data_pipeline.load_weather#3 manual__2024-06-01T00:00:0"
    assert replace(ATTEMPT, map_index=7).application_name.startswith("weather_data_pipeline.load_weather[7]#3 ")


def test_a_long_or_foreign_name_is_cut_before_the_try() -> None:
    name = replace(ATTEMPT, dag_id="tägliche_verkäufe_" * 9, map_index=1234).application_name
    assert name.isascii()
    assert len(name) <= 63
    assert "[1234]#3 " in name
