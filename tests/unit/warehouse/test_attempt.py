from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import ParamValidationError
from airflow.sdk.types import RuntimeTaskInstanceProtocol

from include.core.dag import accept_param
from include.core.errors import ConfigurationError
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


CONTEXT = {
    "ti": SimpleNamespace(dag_id="d", task_id="t", run_id="r", try_number=1, map_index=-1),
    "dag_run": SimpleNamespace(start_date=STARTED),
}


@pytest.mark.parametrize("reason", [None, "a new tariff", "x" * 500, "Preiserhöhung 2024 (München)"])
def test_a_reason_to_accept_is_read_from_the_params(reason: str | None) -> None:
    assert Attempt.from_context({**CONTEXT, "params": {"accept": reason}}).accept == reason
    assert accept_param().resolve(reason) == reason


@pytest.mark.parametrize(
    "reason", ["too short", "x" * 501, "two\nlines of text", "a NUL \0 in a text", True, 17, ["a reason"]]
)
def test_what_is_no_reason_is_refused_also_without_the_params_schema(reason: object) -> None:
    with pytest.raises(ConfigurationError, match="param accept: must be null, or a reason of 10 to 500 printable"):
        Attempt.from_context({**CONTEXT, "params": {"accept": reason}})
    with pytest.raises(ParamValidationError):
        accept_param().resolve(reason)


@pytest.mark.parametrize("reason", [" " * 20, "half an emoji \ud83d"])
def test_a_blank_or_unstorable_reason_is_refused(reason: str) -> None:
    with pytest.raises(ConfigurationError, match="param accept"):
        Attempt.from_context({**CONTEXT, "params": {"accept": reason}})


def test_the_name_of_a_session_has_task_try_and_run() -> None:
    assert ATTEMPT.application_name == "weather_data_pipeline.load_weather#3 manual__2024-06-01T00:00:0"
    assert replace(ATTEMPT, map_index=7).application_name.startswith("weather_data_pipeline.load_weather[7]#3 ")


def test_a_long_or_foreign_name_is_cut_before_the_try() -> None:
    name = replace(ATTEMPT, dag_id="tägliche_verkäufe_" * 9, map_index=1234).application_name
    assert name.isascii()
    assert len(name) <= 63
    assert "[1234]#3 " in name
